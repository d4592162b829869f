"""Sparse dictionaries: what they are, and how they are trained and stored.

Shape legend in names: T rows (tokens), D model width, F features.
"""

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.files import load, save

__all__ = ["Dictionary", "load", "save"]
