"""Sparse dictionaries: what they are, and how they are trained and stored.

Shape legend in names: T rows (tokens), D model width, F features.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sae_desktop.dictionary.dictionary import Dictionary
    from sae_desktop.dictionary.files import load, save

__all__ = ["Dictionary", "load", "save"]

_MODULES = {"Dictionary": "dictionary", "load": "files", "save": "files"}


def __getattr__(name: str) -> Any:
    # Looked up when asked for: what is free of torch in this package can be used without it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
