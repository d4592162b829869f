"""Dictionaries for all layers of a model, trained in one pass over the rows."""
