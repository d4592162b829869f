"""What the machine computes on: the only package that asks torch about a kind of device."""
