"""Where the firings of an index are stored. The window imports this at start-up: no arrays, no
HDF5.
"""

from __future__ import annotations

from pathlib import Path

UNFINISHED = ".firings.part"
"""Ends the name of a folder of firings whose index is not written yet."""


def firings_folder(index: Path) -> Path:
    """Return where the firings of an index are."""
    return index.with_suffix(".firings")


def unfinished_folder(index: Path) -> Path:
    """Return where firings are until their index is written."""
    return index.with_suffix(UNFINISHED)


def has_groups(folder: Path) -> bool:
    """Tell whether a folder holds firings that a job can continue from."""
    return any(folder.glob("[0-9]*.h5"))
