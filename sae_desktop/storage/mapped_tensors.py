"""The tensors of a safetensors file as NumPy arrays over the mapped file. Free of torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError

Array = npt.NDArray[Any]
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_HALF = "BF16"
_MOST_HEADER = 100_000_000
"""As the format's own library has it."""


def mapped_tensors(path: Path) -> dict[str, Array]:
    """Return the tensors of a file by name, read-only.

    Each is a view of the mapped file: nothing is read before it is looked at, nothing is copied.
    bfloat16, which NumPy does not have, becomes float32, and that is a copy.

    Raises UserError when the file is missing, damaged or of another type.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_MOST_HEADER, path.stat().st_size - 8):
                raise ValueError("its header is damaged")
            header = json.loads(file.read(length))
        data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
        header.pop("__metadata__", None)
        return {str(name): _tensor(data, told) for name, told in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"The weights in “{path}” cannot be read: {error}.",
            next_step="Restore the file from a copy, or bring it in again.",
        ) from error


def _tensor(data: Array, told: dict[str, Any]) -> Array:
    begin, end = (int(place) for place in told["data_offsets"])
    shape = tuple(int(size) for size in told["shape"])
    kind = told["dtype"]
    if kind != _HALF and kind not in _TYPES:
        raise ValueError(f"tensors of type {kind} are not known here")
    dtype = np.dtype("<u2" if kind == _HALF else _TYPES[kind])
    if not 0 <= begin <= end <= len(data) or end - begin != dtype.itemsize * int(np.prod(shape)):
        raise ValueError("it has been cut short, or its header is damaged")
    found: Array = data[begin:end].view(dtype).reshape(shape)
    return (found.astype("<u4") << 16).view("<f4") if kind == _HALF else found
