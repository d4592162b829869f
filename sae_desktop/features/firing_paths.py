"""Where the firings of an index lie. Imported by the window at its start: no arrays, no HDF5."""

from __future__ import annotations

import shutil
from pathlib import Path

from sae_desktop.storage.faults import explained


def firings_folder(index: Path) -> Path:
    """Return where the firings of an index lie."""
    return index.with_suffix(".firings")


def unfinished_folder(index: Path) -> Path:
    """Return where firings lie until their index is written."""
    return index.with_suffix(".firings.part")


def remove_firings(index: Path) -> None:
    """Delete what is kept beside an index."""
    for folder in (firings_folder(index), unfinished_folder(index)):
        if folder.exists():
            with explained(folder):
                shutil.rmtree(folder)
