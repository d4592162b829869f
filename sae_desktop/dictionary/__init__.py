"""Sparse dictionaries: what they are, how they are trained, how they are kept.

Shape legend in names: T rows (tokens), D model width, F features.
"""

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.files import load, save

__all__ = ["Dictionary", "load", "save"]
