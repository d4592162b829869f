"""Where a scan or a benchmark keeps what it has finished, until it is whole.

Free of torch, Qt and h5py.
"""

from __future__ import annotations

from pathlib import Path


def kept_folder(path: Path) -> Path:
    """Return the folder, by the path of the file that will hold all of it."""
    return path.with_name(f".{path.stem}.kept")


def kept_count(path: Path) -> int:
    """Return how many sets of an unfinished scan are kept."""
    return len(list(kept_folder(path).glob("[!.]*.npz")))
