"""Where Delphi puts its files, told by their names. Free of torch, h5py and Qt."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

EXPLANATIONS, SCORES = "explanations", "scores"
EXPLANATION_NAME = re.compile(r"(.*)_latent(\d{1,9})\.txt")
"""Module and feature."""
_LOOKED_AT = 100


def holds_explanations(folder: Path) -> bool:
    """Return whether a folder has explanations among its first files."""
    return any(EXPLANATION_NAME.fullmatch(p.name) for p in islice(folder.iterdir(), _LOOKED_AT))


def modules_in(folder: Path) -> list[Path]:
    """Return the folders of cached latents in a folder, or the folder itself."""
    return [
        place
        for place in (folder, *sorted(p for p in folder.iterdir() if p.is_dir()))
        if latent_files(place)
    ]


def latent_files(folder: Path) -> list[tuple[int, int, Path]]:
    """Return (first feature, last feature, file) of a module, in order."""
    found = []
    for path in folder.glob("*_*.safetensors"):
        first, _, last = path.stem.partition("_")
        if first.isdecimal() and last.isdecimal():
            found.append((int(first), int(last), path))
    return sorted(found)
