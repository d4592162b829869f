"""Steering that works when a monitor fires: what it saves, what it costs, how it is won back."""
