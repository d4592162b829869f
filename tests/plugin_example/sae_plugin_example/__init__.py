"""A plug-in of each kind, for SAE Desktop."""
