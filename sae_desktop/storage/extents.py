"""Where the datasets of an HDF5 file are, and whether their bytes are what numpy takes them for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

BFLOAT16 = "bfloat16"
"""A dtype numpy lacks. HDF5 tools read such a dataset as float32; mapped, it is uint16."""


def file_type(dtype: npt.DTypeLike) -> h5py.h5t.TypeID:
    """Return HDF5's type of a dtype (numpy's, or BFLOAT16)."""
    if not (isinstance(dtype, str) and dtype == BFLOAT16):
        return h5py.h5t.py_create(np.dtype(dtype), logical=True)
    # Sign, 8 bits of exponent with a bias of 127, 7 bits of fraction.
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_ebias(127)
    return kind


def plain_dtype(dataset: h5py.h5d.DatasetID) -> np.dtype[Any]:
    """Return the dtype of a dataset's bytes in the file; of bfloat16 it is uint16.

    Raises ValueError where the bytes are not numbers, text of a fixed length or records of them,
    exactly as numpy has them in this machine's byte order.
    """
    kind = dataset.get_type()
    if kind.equal(file_type(BFLOAT16)):
        return np.dtype("<u2")
    found: np.dtype[Any] = dataset.dtype
    name = h5py.h5i.get_name(dataset).decode("utf-8", "replace").strip("/")
    # Of variable-length data the file holds addresses.
    if found.hasobject or not kind.equal(h5py.h5t.py_create(found, logical=True)):
        raise ValueError(f"{name} has a type that cannot be mapped")
    if not found.isnative:
        raise ValueError(f"{name} is in another byte order")
    return found


@dataclass(frozen=True)
class Extent:
    """Where a dataset is in its file."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """One past its last byte."""
        return self.offset + self.size * self.dtype.itemsize


def plain_extents(path: Path, file: h5py.File) -> dict[str, Extent]:
    """Return where all contiguous datasets of a file are, for writing into them.

    Raises ValueError for one that is not of plain numbers within the file.
    """
    names: list[str] = []
    try:
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    except (KeyError, OSError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    length = path.stat().st_size
    found = {name: extent_of(file, name, length) for name in names}
    return {name: extent for name, extent in found.items() if extent is not None}


def extent_of(file: h5py.File, name: str, length: int) -> Extent | None:
    """Return where a dataset is; None: there is none of that name."""
    try:
        if not _is_inside(file, name):
            return None
        dataset = h5py.h5d.open(file.id, name.encode())
        dtype, shape = plain_dtype(dataset), dataset.shape
        layout = dataset.get_create_plist()
    except (TypeError, KeyError, OSError, RuntimeError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    if not isinstance(shape, tuple):
        raise ValueError(f"{name} has no shape")
    extent = Extent(dataset.get_offset() or 0, dtype, shape)
    if not extent.size or not dtype.itemsize:
        return extent
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count():
        raise ValueError(f"{name} is not stored in one piece in the file")
    if dataset.get_offset() is None or not 0 < extent.offset <= extent.end <= length:
        raise ValueError(f"{name} is cut short")
    return extent


def _is_inside(file: h5py.File, name: str) -> bool:
    """Return whether a name is there. Raises ValueError where it leads elsewhere."""
    parts = name.split("/")
    for number in range(1, len(parts) + 1):
        inside = "/".join(parts[:number]).encode()
        if not file.id.links.exists(inside):
            return False
        if file.id.links.get_info(inside).type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{inside.decode()} is a link that points elsewhere")
    return True
