"""The job `import_activations`: a matrix from another program becomes a store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import safetensors
import torch

from sae_desktop.activations.config import HarvestResult, ImportActivationsConfig
from sae_desktop.activations.encoding import encode_rows
from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
    decode_rows,
    encode_text,
)
from sae_desktop.activations.store import ActivationStore, store_result
from sae_desktop.activations.store_writer import SegmentWriter, StoreBatch, segment_path
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import FILE_KINDS
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, config_record
from sae_desktop.storage.atomic import replacing_folder
from sae_desktop.storage.hdf5 import open_file
from sae_desktop.storage.hdf5_safety import check_plain

_BLOCK = 16_384
_FORMATS = FILE_KINDS["activations"].endings


class Matrix:
    """A matrix in a file, read in blocks of rows."""

    def __init__(self, source: Any, shape: tuple[int, ...]) -> None:
        self._source = source
        self.rows, self.width = shape

    def block(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return rows start…stop−1 as float32."""
        return np.asarray(self._source[start:stop]).astype(np.float32)


def import_activations(config: ImportActivationsConfig, context: JobContext) -> HarvestResult:
    """Copy a matrix (rows × width) into a new store, row by row the same.

    Each row becomes a window of its own, since nothing says which rows follow each other.
    Raises UserError when the file cannot be read, holds no single matrix, or has values that
    are not finite.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    folder = project.store_path(config.name)
    if (folder / "000.h5").exists():
        raise UserError(
            f"There is already an activation store “{config.name}”.",
            kept="It was left unchanged.",
            next_step="Choose another name.",
        )
    path = Path(config.file).expanduser()
    with open_matrix(path, config.dataset) as matrix, replacing_folder(folder) as part:
        # Half a matrix is of no use, and importing is quick to begin again.
        _copy(matrix, path, part, config, context)
    rows = ActivationStore.open(folder).rows
    return store_result(
        ActivationStore.open(folder), rows_added=rows, seconds=time.perf_counter() - began
    )


def _copy(
    matrix: Matrix, path: Path, folder: Path, config: ImportActivationsConfig, context: JobContext
) -> None:
    info = StoreInfo(
        model="",
        corpus=str(path),
        sites=[config.site],
        widths=[matrix.width],
        dtype=config.dtype,
        config=config_record(config),
    )
    room = Capacity(rows=matrix.rows, windows=matrix.rows, documents=1)
    writer = SegmentWriter.create(segment_path(folder, 0), info, room)
    try:
        for start in range(0, matrix.rows, _BLOCK):
            context.check_cancelled()
            writer.append(_batch(matrix, path, start, config))
            context.progress(writer.rows, matrix.rows, "rows")
        writer.commit()
    finally:
        writer.close()


def _batch(matrix: Matrix, path: Path, start: int, config: ImportActivationsConfig) -> StoreBatch:
    stop = min(start + _BLOCK, matrix.rows)
    values_RD = torch.from_numpy(matrix.block(start, stop))
    rows = encode_rows(values_RD, values_RD[:0], config.dtype).finished()
    stored = decode_rows(rows.values, rows.scales)
    finite = np.isfinite(values_RD.numpy()).all(axis=1) & np.isfinite(stored).all(axis=1)
    if not bool(finite.all()):
        row = start + int(np.flatnonzero(~finite)[0])
        raise UserError(
            f"Row {row:,} of “{path.name}” has a value that is not finite in {config.dtype}.",
            kept="Nothing was imported.",
            next_step="Correct the file, or import it as float32.",
        )
    windows = np.zeros(stop - start, dtype=WINDOW_DTYPE)
    windows["first_row"] = np.arange(stop - start)
    windows["length"] = 1
    windows["offset"] = np.arange(start, stop)
    documents = np.zeros(1 if start == 0 else 0, dtype=DOCUMENT_DTYPE)
    if len(documents):
        documents["source"] = encode_text(path.name)
    return StoreBatch(
        activations={config.site: rows},
        tokens=np.arange(start, stop, dtype=np.int32),  # without a model, the row's number
        positions=np.zeros(stop - start, dtype=np.int32),
        windows=windows,
        documents=documents,
        spans=np.empty(0, dtype=SPAN_DTYPE),
    )


@contextmanager
def open_matrix(path: Path, name: str) -> Iterator[Matrix]:
    """Open the matrix `name` of a file (the only one, when empty) without reading it whole.

    Raises UserError that says what the file holds instead.
    """
    if path.suffix not in _FORMATS:
        raise UserError(
            f"“{path.name}” is of a type that cannot be imported.",
            next_step=f"Files can end in {', '.join(_FORMATS)}.",
        )
    if not path.is_file():
        raise UserError(f"There is no file “{path}”.")
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            yield Matrix(array, _checked_shape(path, array.shape, array.dtype.kind == "f"))
        elif path.suffix == ".safetensors":
            # Through torch, since numpy has no bfloat16.
            with safetensors.safe_open(path, framework="pt") as file:
                names = list(file.keys())
                shapes = {key: tuple(file.get_slice(key).get_shape()) for key in names}
                chosen = _choose(path, name, shapes)
                yield Matrix(_TensorSlice(file.get_slice(chosen)), shapes[chosen])
        else:
            check_plain(path)
            with open_file(path) as file:
                shapes = _datasets(file)
                chosen = _choose(path, name, shapes)
                yield Matrix(file[chosen], shapes[chosen])
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise UserError(
            f"“{path}” is damaged, cut short, or of another type: {error}.",
            kept="Nothing was imported.",
            next_step="Export it again from the program that made it.",
        ) from error


class _TensorSlice:
    """A safetensors slice that yields numpy blocks."""

    def __init__(self, piece: Any) -> None:
        self._piece = piece

    def __getitem__(self, rows: slice) -> Any:
        return self._piece[rows].float().numpy()


def _datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}

    def remember(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            found[name] = item.shape

    file.visititems(remember)
    return found


def _choose(path: Path, name: str, shapes: dict[str, tuple[int, ...]]) -> str:
    matrices = [key for key, shape in shapes.items() if len(shape) == 2 and min(shape) > 0]
    if name in matrices:
        return name
    if not name and len(matrices) == 1:
        return matrices[0]
    what = f"no matrix “{name}”" if name else f"{len(matrices)} matrices"
    raise UserError(
        f"“{path.name}” holds {what}.",
        next_step=f"Name one of: {', '.join(matrices)}." if matrices else "Save rows × width.",
    )


def _checked_shape(path: Path, shape: tuple[int, ...], floats: bool) -> tuple[int, ...]:
    if len(shape) != 2 or not floats or min(shape) == 0:
        raise UserError(
            f"“{path.name}” holds no matrix of floating-point rows: its shape is {shape}.",
            next_step="Save rows × width.",
        )
    return shape
