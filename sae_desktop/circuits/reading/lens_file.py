"""The averaged Jacobians of a model as a file of a project: which there are. Free of torch and Qt.

`lenses/<digest of the model>.safetensors` holds the matrices (L, D, D), and in its header the
model's name and over what was averaged. Only the header is read here.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sae_desktop.project import Project

_MOST_HEADER = 2**20


@dataclass(frozen=True)
class LensItem:
    name: str
    """Of its file: a digest of the model."""
    model: str
    """Empty where the file does not say."""
    told: str
    """Over what was averaged, in words."""
    layers: int
    width: int
    bytes: int
    modified: datetime
    problem: str = ""
    """Why it cannot be read; empty: it can."""


def lens_items(project: Project) -> list[LensItem]:
    """Return the fitted lenses of a project; a damaged one says so itself."""
    found = []
    for name in project.lenses():
        with suppress(OSError):  # it has just gone
            found.append(_item(project.lens_path(name)))
    return found


def lens_title(project: Project, name: str) -> str:
    """Return what a lens is called: by its model, where its file says which."""
    path = project.lens_path(name)
    return (path.is_file() and _item(path).model) or name


def _item(path: Path) -> LensItem:
    stat = path.stat()
    size, modified = stat.st_size, datetime.fromtimestamp(stat.st_mtime)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_MOST_HEADER, size):
                raise ValueError("its header is damaged")
            header = json.loads(file.read(length))
        told = header.get("__metadata__", {})
        layers, width, _ = (int(number) for number in header["jacobians"]["shape"])
        _, end = header["jacobians"]["data_offsets"]
        if 8 + length + int(end) != size:
            raise ValueError("it has been cut short")
        return LensItem(
            path.stem, str(told.get("model", "")), str(told.get("told", "")), layers, width, size,
            modified,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return LensItem(path.stem, "", "", 0, 0, size, modified, problem=str(error))
