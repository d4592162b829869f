"""SAE Desktop: sparse dictionaries of a language model's activations, on one machine."""

__version__ = "0.1.0"
