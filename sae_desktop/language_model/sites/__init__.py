"""Sites: the places in a model where activations are read and replaced."""
