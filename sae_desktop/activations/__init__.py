"""Activations: the harvest job and the store it fills."""
