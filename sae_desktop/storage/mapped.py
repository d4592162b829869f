"""Mapped HDF5 datasets: the one way by which a file's bytes become arrays.

A file may come from anyone. A dataset of variable-length strings, mapped, would have its bytes
taken for addresses; one that lies beyond the end of its file kills the process that touches it.
So a reader states in a table what it takes of each dataset, and every opening holds the file to
it: plain numbers or records of them, in this machine's byte order, of the rank and the relations
between shapes that are stated, contiguous and whole within the file itself.

Only the structure is looked at, so that a large file opens as fast as a small one.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.storage.extents import Extent, extent_of
from sae_desktop.storage.faults import explained
from sae_desktop.storage.swap import open_shared

Array = npt.NDArray[Any]
Struct = TypeVar("Struct")

FLOATS = "f"
WHOLE = "iu"
NUMBERS = "fiu"
BYTES = "S"


@dataclass(frozen=True)
class Accepted:
    """What a reader takes of one dataset."""

    of: str | np.dtype[Any]
    """Numpy's letters of the kinds of number, or the one dtype; of a record, its fields."""
    shape: tuple[str | int, ...]
    """Sizes by name. One name is one size throughout a file; “F+1” and “F*C+1” follow from it."""
    needed: bool = True
    lacking: tuple[str, ...] = ()
    """Fields of the record that older files do not have."""


Table = Mapping[str, Accepted]


def extents(
    path: Path, file: h5py.File, table: Table, sizes: Mapping[str, int] | None = None
) -> dict[str, Extent]:
    """Return where the datasets of a table are; those not needed only if they are there.

    `sizes` are names of the table's shapes that are known. Raises ValueError, with the reason in
    words, unless all are as the table has them. Datasets that are not in it are left alone.
    """
    length = path.stat().st_size
    found: dict[str, Extent] = {}
    for name, accepted in table.items():
        extent = extent_of(file, name, length)
        if extent is not None:
            _check_dtype(name, extent.dtype, accepted)
            found[name] = extent
        elif accepted.needed:
            raise ValueError(f"{name} is missing")
    _check_shapes(found, table, dict(sizes or {}))
    return found


def _check_dtype(name: str, dtype: np.dtype[Any], accepted: Accepted) -> None:
    of = accepted.of
    if isinstance(of, str):
        if dtype.kind not in of or dtype.shape:
            raise ValueError(f"{name} has the type {dtype}")
        return
    if not of.names:
        if dtype != of:
            raise ValueError(f"{name} has the type {dtype}, not {of}")
        return
    for field in of.names:
        if field not in (dtype.names or ()):
            if field not in accepted.lacking:
                raise ValueError(f"{name} lacks “{field}”")
        elif dtype[field].base.kind != of[field].base.kind or dtype[field].shape != of[field].shape:
            raise ValueError(f"“{field}” of {name} has the type {dtype[field]}")


def _check_shapes(found: Mapping[str, Extent], table: Table, sizes: dict[str, int]) -> None:
    """Hold shapes to one another: names alone first, then what follows from them."""
    told = [
        (name, wanted, size)
        for name, extent in found.items()
        for wanted, size in _dimensions(name, table[name].shape, extent.shape)
    ]
    for name, wanted, size in told:
        named = isinstance(wanted, str) and wanted.isidentifier()
        if named and sizes.setdefault(str(wanted), size) != size:
            raise ValueError(f"{name} has {size:,} entries instead of {sizes[str(wanted)]:,}")
    for name, wanted, size in told:
        expected = _expected(wanted, size, sizes)
        if size != expected:
            raise ValueError(f"{name} has {size:,} where {expected:,} are expected")


def _dimensions(
    name: str, wanted: tuple[str | int, ...], shape: tuple[int, ...]
) -> Iterator[tuple[str | int, int]]:
    if len(wanted) != len(shape):
        raise ValueError(f"{name} has {len(shape)} dimensions, not {len(wanted)}")
    yield from zip(wanted, shape, strict=True)


def _expected(wanted: str | int, size: int, sizes: dict[str, int]) -> int:
    """Return the size that “F*C+1” asks for; a name that is new in “V+1” is found from `size`."""
    if isinstance(wanted, int):
        return wanted
    product, _, more = wanted.partition("+")
    names = product.split("*")
    if len(names) == 1:
        sizes.setdefault(names[0], size - int(more or 0))
    return math.prod(sizes[name] for name in names) + int(more or 0)


class MappedFile:
    """The datasets of a file as views of one map of it.

    A file takes one descriptor however many datasets it has: some systems grant a program 256.
    """

    def __init__(self, path: Path, found: Mapping[str, Extent]) -> None:
        """Map what `extents` found. Raises ValueError when the file has become shorter.

        Raises UserError where the system refuses to open or map it.
        """
        self.path = path
        self._end = max((extent.end for extent in found.values() if extent.size), default=0)
        self._map: mmap.mmap | None = None
        if self._end:
            with explained(path, reading=True), open_shared(path) as file:
                self._map = mmap.mmap(file.fileno(), self._end, access=mmap.ACCESS_READ)
        self._found = dict(found)
        self.arrays = {name: self._view(extent) for name, extent in found.items()}

    def _view(self, extent: Extent) -> Array:
        """Return a dataset.

        bfloat16 comes as uint16: its bits are the upper half of a float32's.
        """
        if self._map is None or not extent.size or not extent.dtype.itemsize:
            return np.empty(extent.shape, extent.dtype)
        return np.ndarray(extent.shape, extent.dtype, self._map, extent.offset)

    def check_whole(self) -> None:
        """Raise UserError when the file was cut short since it was mapped.

        To touch what is no longer there would end the process.
        """
        if self._map is not None and self._map.size() < self._end:
            raise UserError(
                f"“{self.path}” was cut short while it was open: another program has changed it.",
                kept="What was already read is correct; nothing was written.",
                next_step="Restore the file from a copy, or make it again.",
            )

    def will_need(self, name: str, first: int, last: int) -> None:
        """Have the system read the entries first…last−1 of a dataset while others are looked at."""
        extent = self._found[name]
        if self._map is None or not hasattr(mmap, "MADV_WILLNEED") or not extent.size:
            return
        each = extent.dtype.itemsize * math.prod(extent.shape[1:])
        first, last = max(first, 0), min(last, extent.shape[0])
        begin, end = extent.offset + first * each, extent.offset + last * each
        begin -= begin % mmap.PAGESIZE
        if begin < end:
            self._map.madvise(mmap.MADV_WILLNEED, begin, end - begin)

    def release(self, names: Iterable[str]) -> None:
        """Let go of the memory beneath some datasets; it is read again when it is looked at."""
        if self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for name in names:
            extent = self._found[name]
            if extent.size:
                first = extent.offset - extent.offset % mmap.PAGESIZE
                self._map.madvise(mmap.MADV_DONTNEED, first, extent.end - first)


def read_struct(file: h5py.File, name: str, kind: type[Struct]) -> Struct:
    """Return an attribute that holds JSON. Raises ValueError when it is not there or not that."""
    try:
        text = file.attrs[name]
    except (KeyError, OSError, TypeError, RuntimeError) as error:
        raise ValueError(f"its “{name}” cannot be read") from error
    if not isinstance(text, str | bytes):
        raise ValueError(f"its “{name}” is not text")
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ValueError(f"its “{name}”: {error}") from error
