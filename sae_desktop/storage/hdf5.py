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
from contextlib import nullcontext
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
from sae_desktop.storage.extents import BFLOAT16 as BFLOAT16
from sae_desktop.storage.extents import Extent, file_type, plain_extents
from sae_desktop.storage.faults import explain_os_error, explained

Array = npt.NDArray[Any]


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
        with new_file(part) as file:
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
    dtype = file_type(spec.dtype)
    space = h5py.h5s.create_simple(spec.shape)
    dataset = h5py.h5d.create(
        file.id, spec.name.encode(), dtype, space, dcpl=properties, lcpl=links
    )
    return int(dataset.get_offset() or 0), int(dataset.get_storage_size())


def spec_bytes(spec: DatasetSpec) -> int:
    """Return how many bytes a dataset takes in the file."""
    return int(file_type(spec.dtype).get_size()) * math.prod(spec.shape)


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


def new_file(part: Path) -> h5py.File:
    """Create an HDF5 file under a name that nobody else knows yet: it needs no lock.

    Not every file system grants one.
    """
    return h5py.File(part, "w", libver=("earliest", "v110"), locking=False)


def open_file(path: Path) -> h5py.File:
    """Open any HDF5 file for reading.

    Raises UserError with the cause when it is missing, may not or cannot be read, is held by
    another program, or is not an HDF5 file.
    """
    with explained(path, reading=True):
        if not path.is_file():
            raise UserError(f"There is no file “{path}”.")
        # HDF5 hides behind its own words what the system says of a file it may not open.
        path.open("rb").close()
        try:
            return h5py.File(path, "r")
        except BlockingIOError as error:
            raise UserError(
                f"“{path}” is in use by another program that is writing to it.",
                next_step="Close it there and try again.",
            ) from error
        except OSError as error:
            # A file system without locks; our writers need none, for readers go by a counter.
            if "unable to lock file" in str(error) or "locking flag" in str(error):
                return h5py.File(path, "r", locking=False)
            if error.errno is not None:
                raise
            raise _not_hdf5(path) from error
        except (RuntimeError, ValueError) as error:
            raise _not_hdf5(path) from error


def _not_hdf5(path: Path) -> UserError:
    return UserError(
        f"“{path.name}” is not an HDF5 file, or is damaged.",
        next_step=f"Restore {path} from a copy, or make it again under another name.",
    )


def open_checked(path: Path, kind: str, schema_version: int) -> h5py.File:
    """Open a file of ours for reading.

    Raises UserError as `open_file` does, and for a file of another kind, or newer than we know.
    """
    file = open_file(path)
    try:
        found, version = _header(file)
    except (OSError, RuntimeError, TypeError, ValueError, OverflowError) as error:
        file.close()
        raise _not_hdf5(path) from error
    if found == kind and 1 <= version <= schema_version:
        return file
    file.close()
    if found == kind and version > schema_version:
        raise UserError(
            f"“{path.name}” was written by a newer SAE Desktop (schema {version}; "
            f"this one reads up to {schema_version}).",
            next_step="Update SAE Desktop to open it.",
        )
    raise UserError(f"“{path}” is not a file of kind “{kind}”.")


def kind_of_file(path: Path) -> str:
    """Return of which kind of ours a file says it is; "" for any other."""
    try:
        with open_file(path) as file:
            return _header(file)[0]
    except (UserError, OSError, RuntimeError, TypeError, ValueError, OverflowError):
        return ""


def _header(file: h5py.File) -> tuple[str, int]:
    kind, version = file.attrs.get("kind", ""), file.attrs.get("schema_version", 0)
    return str(kind), int(version)


class RowWriter:
    """Positioned writes into the contiguous datasets of one existing file.

    Raises UserError from `write` when the disk is full; what was committed stays.
    """

    def __init__(self, path: Path, file: h5py.File | None = None) -> None:
        """Open a file for writing; `file`: the same, where it is open for reading already.

        Raises UserError where its datasets are not plain ones within it.
        """
        self.path = path
        self._extents: dict[str, Extent]
        try:
            with nullcontext(file) if file is not None else open_file(path) as opened:
                self._extents = plain_extents(path, opened)
        except ValueError as error:
            raise UserError(
                f"Nothing can be added to “{path.name}”: {error}.", kept="It is unchanged."
            ) from error
        with explained(path):
            self._descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))

    def capacity(self, name: str) -> int:
        """Return how many rows the dataset has room for."""
        return self._extents[name].shape[0] if name in self._extents else 0

    def write(self, name: str, row: int, values: Array) -> memoryview:
        """Write `values` (rows × …) into dataset `name`, its first row at `row`.

        Returns the bytes written. Raises UserError when the system refuses, ValueError for rows
        that do not fit.
        """
        if len(values) == 0:
            return memoryview(b"")
        extent = self._extents[name]
        dtype, shape = extent.dtype, extent.shape
        if values.shape[1:] != shape[1:] or row + len(values) > shape[0]:
            raise ValueError(f"rows {values.shape} at {row} do not fit {name} {shape}")
        row_bytes = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        written_bytes = np.ascontiguousarray(values, dtype=dtype).reshape(-1).view(np.uint8).data
        data = written_bytes
        position = extent.offset + row * row_bytes
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
