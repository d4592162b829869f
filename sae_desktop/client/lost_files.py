"""Which files an engine that ended by SIGBUS may have been reading: those that were cut short."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_SECONDS = 3.0
_MOST_HEADER = 100 << 20
_NAMED = 4
_NAMES = ("name", "activations", "other_activations", "dictionary", "index")
"""Fields of a job that name something of its project."""


def cut_files(configs: Iterable[object]) -> list[Path]:
    """Return the files, of the projects and models of some jobs, that are shorter than they say.

    What cannot be looked at within a few seconds is left out; so is what cannot be read at all.
    """
    until = time.monotonic() + _SECONDS
    found: list[Path] = []
    for path in _files(configs):
        if time.monotonic() > until or len(found) == _NAMED:
            break
        if _is_cut(path):
            found.append(path)
    return found


def names_file(config: object, path: Path) -> bool:
    """Return whether a job's settings name a file.

    That is: it belongs to the store, dictionary or index of the job's project, or to its model.
    """
    stream = getattr(config, "stream", None)
    if stream is not None and names_file(stream, path):
        return True
    model = getattr(config, "model", "")
    if model and path.is_relative_to(Path(str(model)).expanduser()):
        return True
    project = getattr(config, "project", "")
    if not project or not path.is_relative_to(Path(str(project)).expanduser()):
        return False
    parts = {path.stem, path.parent.name}
    for name in _NAMES:
        value = getattr(config, name, "")
        if parts.intersection(value if isinstance(value, tuple) else (value or (),)):
            return True
    return False


def _files(configs: Iterable[object]) -> Iterator[Path]:
    """Yield what the jobs may have mapped: files of projects and weights of model folders."""
    seen: set[Path] = set()
    for config in configs:
        for name in ("project", "model"):
            told = getattr(config, name, None) or getattr(getattr(config, "stream", None), name, "")
            folder = Path(str(told)).expanduser() if told else None
            if folder is None or folder in seen or not folder.is_dir():
                continue
            seen.add(folder)
            patterns = ("*.safetensors",) if name == "model" else (
                "activations/*/*.h5", "features/*.h5", "features/*/*.h5", "matches/*.h5",
                "dictionaries/*/*.safetensors", "dictionaries/*/*.h5",
            )  # fmt: skip
            for pattern in patterns:
                yield from sorted(folder.glob(pattern))


def _is_cut(path: Path) -> bool:
    try:
        return _safetensors_cut(path) if path.suffix == ".safetensors" else _hdf5_cut(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def _hdf5_cut(path: Path) -> bool:
    import h5py

    from sae_desktop.storage.extents import plain_extents

    try:
        with h5py.File(path, "r", locking=False) as file:
            plain_extents(path, file)
    except (OSError, ValueError) as error:
        return "truncated" in str(error) or "cut short" in str(error)
    return False


def _safetensors_cut(path: Path) -> bool:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > _MOST_HEADER:
            return False
        header = file.read(size)
    told: dict[str, Any] = json.loads(header)
    ends = [one["data_offsets"][1] for name, one in told.items() if name != "__metadata__"]
    return path.stat().st_size < 8 + size + max(ends, default=0)
