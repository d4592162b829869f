"""Files of tensors of any kind, read without running anything that is in them."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.stored_tensors import check_stored
from sae_desktop.storage.archives import check_expansion

_MOST_HEADER = 100 * 2**20
"""Bytes of a safetensors header; the library's own limit."""
_MOST_TENSORS = 100_000


@dataclass(frozen=True)
class WeightsFile:
    """The names and shapes in a file; the tensors when they are asked for."""

    path: Path
    shapes: dict[str, tuple[int, ...]]
    values: dict[str, Any]
    """What stands beside tensors: the numbers of a state dict."""
    _load: Callable[[], dict[str, Tensor]]

    def has(self, *names: str) -> bool:
        """Return whether all these tensors or numbers are there."""
        return all(name in self.shapes or name in self.values for name in names)

    @property
    def entries(self) -> dict[str, Any]:
        """Names → shapes of tensors, and numbers."""
        return {**self.shapes, **self.values}

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors as they are stored; those of safetensors are mapped, not copied."""
        try:
            return self._load()
        except (OSError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
            raise damaged(self.path, error) from error


def look_into(path: Path) -> WeightsFile:
    """Return what a file of tensors holds, without reading more of it than needed.

    Raises UserError for a file that is damaged, that would unpack to far more than it is, or
    that holds code: pickles are read as plain tensors and numbers only.
    """
    try:
        match path.suffix:
            case ".safetensors":
                return _safetensors(path)
            case ".npz":
                return _npz(path)
            case _:
                return _pickle(path)
    except UserError:
        raise
    except Exception as error:
        # Damaged files make the readers underneath fail in any way.
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> UserError:
    """Return the error that says a file cannot be read."""
    return UserError(
        f"“{path}” is damaged or cut short: {error}.",
        kept="Nothing was changed.",
        next_step="Download it again, or restore it from a copy.",
    )


# ---------------------------------------------------------------- safetensors
def _safetensors(path: Path) -> WeightsFile:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > min(size - 8, _MOST_HEADER):
            raise ValueError(f"its header claims {length:,} of {size:,} bytes")
        header = json.loads(file.read(length))
    if not isinstance(header, dict) or len(header) > _MOST_TENSORS:
        raise ValueError("its header is not a list of tensors")
    header.pop("__metadata__", None)
    shapes = {str(name): tuple(map(int, entry["shape"])) for name, entry in header.items()}
    return WeightsFile(path, shapes, {}, lambda: load_file(path))


# ---------------------------------------------------------------- numpy
def _npz(path: Path) -> WeightsFile:
    shapes: dict[str, tuple[int, ...]] = {}
    with zipfile.ZipFile(path) as archive:
        check_expansion(path, archive)
        for info in archive.infolist():
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(member)
                if dtype.hasobject:
                    raise ValueError(f"“{info.filename}” holds objects, not numbers")
                shapes[info.filename.removesuffix(".npy")] = tuple(map(int, shape))

    def load() -> dict[str, Tensor]:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}

    return WeightsFile(path, shapes, {}, load)


# ---------------------------------------------------------------- torch
def _pickle(path: Path) -> WeightsFile:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_expansion(path, archive)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=_mappable(path))
    except Exception as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise UserError(
                f"“{path}” contains more than tensors and numbers: opening it could run code.",
                kept="It was not opened.",
                next_step="Ask its maker for the weights as safetensors.",
            ) from error
        raise
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not tensors by name")
    if isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    for name, tensor in tensors.items():
        check_stored(name, tensor)
    values = {
        str(name): value
        for name, value in found.items()
        if isinstance(value, int | float | str | bool)
    }
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    return WeightsFile(path, shapes, values, lambda: tensors)


def _mappable(path: Path) -> bool:
    """Return whether a file has torch's zip form, which can be mapped."""
    return zipfile.is_zipfile(path)
