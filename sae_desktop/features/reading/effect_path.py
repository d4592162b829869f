"""Where the effects of an index's features are stored. Does not need HDF5."""

from __future__ import annotations

from pathlib import Path


def effect_path(index: Path) -> Path:
    """Return the file beside an index."""
    return index.with_suffix(".effect")
