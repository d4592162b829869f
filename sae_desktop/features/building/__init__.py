"""Making an index: from a store and a dictionary to one file."""
