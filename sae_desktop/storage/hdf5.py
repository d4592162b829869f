"""Contiguous HDF5 files: structure written once, rows written in place, readers mapped.

Every large dataset is contiguous, allocated early and never filled. Its file is created,
reserved for real, synced and closed before data flows; from then on rows go to
`offset + row × row_bytes` with positioned writes, and no HDF5 metadata changes. A process
killed at any moment therefore leaves a valid file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from sae_desktop import __version__
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explain_os_error, explained

Array = npt.NDArray[Any]


BFLOAT16 = "bfloat16"
"""A dtype numpy lacks. HDF5 tools read such a dataset as float32; mapped, it is uint16."""


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset to be: its path in the file, shape and dtype (numpy's, or BFLOAT16)."""

    name: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike


def create_contiguous(
    path: Path,
    kind: str,
    schema_version: int,
    datasets: Sequence[DatasetSpec],
    attributes: Mapping[str, Any],
) -> None:
    """Create a file of empty contiguous datasets with its disk space reserved.

    `kind` and `schema_version` are written as attributes beside the writer's version.
    Raises UserError when there is no room; then nothing is left behind.
    """
    with replacing(path) as part:
        with h5py.File(part, "w", libver=("earliest", "v110")) as file:
            write_header(file, kind, schema_version, attributes)
            extents = [_create_dataset(file, spec) for spec in datasets]
        _reserve(part, extents)


def _create_dataset(file: h5py.File, spec: DatasetSpec) -> tuple[int, int]:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    dtype = _file_type(spec.dtype)
    space = h5py.h5s.create_simple(spec.shape)
    dataset = h5py.h5d.create(
        file.id, spec.name.encode(), dtype, space, dcpl=properties, lcpl=links
    )
    return int(dataset.get_offset() or 0), int(dataset.get_storage_size())


def spec_bytes(spec: DatasetSpec) -> int:
    """Return how many bytes a dataset takes in the file."""
    return int(_file_type(spec.dtype).get_size()) * math.prod(spec.shape)


def _file_type(dtype: npt.DTypeLike) -> h5py.h5t.TypeID:
    if not (isinstance(dtype, str) and dtype == BFLOAT16):
        return h5py.h5t.py_create(np.dtype(dtype), logical=True)
    # Sign, 8 bits of exponent with a bias of 127, 7 bits of fraction.
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_ebias(127)
    return kind


def raw_dtype(dataset: h5py.Dataset) -> np.dtype[Any]:
    """Return the dtype of a dataset's bytes in the file; of bfloat16 it is uint16."""
    kind = dataset.id.get_type()
    if isinstance(kind, h5py.h5t.TypeFloatID) and kind.get_size() != dataset.dtype.itemsize:
        return np.dtype("<u2")
    found: np.dtype[Any] = dataset.dtype
    return found


def _reserve(path: Path, extents: Sequence[tuple[int, int]]) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        for offset, size in extents:
            if size == 0:
                continue
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, offset, size)
            elif os.fstat(descriptor).st_size < offset + size:
                os.ftruncate(descriptor, offset + size)
    finally:
        os.close(descriptor)


def write_header(
    file: h5py.File, kind: str, schema_version: int, attributes: Mapping[str, Any]
) -> None:
    """Write what every file of ours says of itself."""
    file.attrs["kind"] = kind
    file.attrs["schema_version"] = schema_version
    file.attrs["writer"] = f"sae-desktop {__version__}"
    for key, value in attributes.items():
        file.attrs[key] = value


def open_checked(path: Path, kind: str, schema_version: int) -> h5py.File:
    """Open a file of ours for reading.

    Raises UserError when it is missing, damaged, of another kind, or newer than we know.
    """
    if not path.is_file():
        raise UserError(f"There is no file “{path}”.")
    try:
        file = h5py.File(path, "r")
    except BlockingIOError as error:
        raise UserError(
            f"“{path}” is held by another program that is writing to it.",
            next_step="Close it there and try again.",
        ) from error
    except OSError as error:
        raise UserError(
            f"“{path.name}” is no HDF5 file, or a damaged one.",
            next_step=f"Restore {path} from a copy, or delete it and run the job again.",
        ) from error
    found = str(file.attrs.get("kind", ""))
    version = int(file.attrs.get("schema_version", 0))
    if found != kind or version > schema_version or version < 1:
        file.close()
        if found == kind and version > schema_version:
            raise UserError(
                f"“{path.name}” was written by a newer SAE Desktop (schema {version}; "
                f"this one reads up to {schema_version}).",
                next_step="Update SAE Desktop to open it.",
            )
        raise UserError(f"“{path}” is not a file of kind “{kind}”.")
    return file


def map_dataset(path: Path, dataset: h5py.Dataset, *, writable: bool = False) -> Array:
    """Map a contiguous dataset's bytes as an array, without HDF5 in the way.

    bfloat16 comes as uint16: its bits are the upper half of a float32's.
    """
    offset, dtype = dataset.id.get_offset(), raw_dtype(dataset)
    if offset is None or dataset.size == 0:
        return np.empty(dataset.shape, dtype=dtype)
    return np.memmap(
        path,
        dtype=dtype,
        mode="r+" if writable else "r",
        offset=offset,
        shape=dataset.shape,
    )


class RowWriter:
    """Positioned writes into the contiguous datasets of one existing file.

    Raises UserError from `write` when the disk is full; what was committed stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._layout: dict[str, tuple[int, np.dtype[Any], tuple[int, ...]]] = {}
        with h5py.File(path, "r") as file:
            file.visititems(self._remember)
        with explained(path):
            self._descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))

    def _remember(self, name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None:
            self._layout[name] = (int(item.id.get_offset()), raw_dtype(item), item.shape)

    def capacity(self, name: str) -> int:
        """Return how many rows the dataset has room for."""
        return self._layout[name][2][0] if name in self._layout else 0

    def write(self, name: str, row: int, values: Array) -> memoryview:
        """Write `values` (rows × …) into dataset `name`, its first row at `row`.

        Returns the bytes written. Raises UserError when the system refuses, ValueError for rows
        that do not fit.
        """
        if len(values) == 0:
            return memoryview(b"")
        offset, dtype, shape = self._layout[name]
        if values.shape[1:] != shape[1:] or row + len(values) > shape[0]:
            raise ValueError(f"rows {values.shape} at {row} do not fit {name} {shape}")
        row_bytes = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        written_bytes = np.ascontiguousarray(values, dtype=dtype).reshape(-1).view(np.uint8).data
        data = written_bytes
        position = offset + row * row_bytes
        try:
            while data:
                written = _write_at(self._descriptor, data, position)
                position += written
                data = data[written:]
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        return written_bytes

    def sync(self) -> None:
        """Force what was written to the disk."""
        with explained(self.path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _write_at(descriptor: int, data: memoryview, position: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, position)
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.write(descriptor, data)
