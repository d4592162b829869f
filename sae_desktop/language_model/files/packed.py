"""Weights that ship in 8 bit: a model, unpacked into the models' cache when it is first opened, and
a demonstration's dictionary.

Every matrix is kept as int8 with one scale a row, or a column where that is asked for,
`w ≈ q · s`, `s = max|w| / 127`; vectors as float16. Unpacked it is an ordinary folder of float16
weights. Free of torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.storage.faults import explained

PACKED = "packed.safetensors"
"""The weights, in 8 bit; the other files of the folder are as they will be."""
_WEIGHTS = "model.safetensors"
_SCALE, _COLUMN_SCALE = ".row_scale", ".column_scale"
"""Ends the name of a matrix's scales."""
_DIGITS = 16
_LARGEST = 127

Array = npt.NDArray[Any]


def pack(
    weights: Mapping[str, Array], folder: Path, fine: str = "", by_column: Collection[str] = ()
) -> None:
    """Write weights of any shape to `folder`, those of two dimensions and more in 8 bit.

    `fine`: part of the names of weights that stay in 16 bit, such as those whose products all but
    cancel a bias. `by_column`: matrices that have a scale for each column. What was packed and
    unpacked twice no longer changes.
    """
    kept: dict[str, Array] = {}
    for name, weight in weights.items():
        if weight.ndim < 2 or (fine and fine in name):
            kept[name] = weight.astype(np.float16)
            continue
        if name in by_column:
            columns, scales = _in_8_bits(weight.T.astype(np.float32))
            kept[name], kept[name + _COLUMN_SCALE] = np.ascontiguousarray(columns.T), scales
            continue
        rows = weight.reshape(len(weight), -1).astype(np.float32)
        eighth, kept[name + _SCALE] = _in_8_bits(rows)
        kept[name] = eighth.reshape(weight.shape)
    save_file(kept, folder / PACKED)


def _in_8_bits(rows: Array) -> tuple[Array, Array]:
    """Return rows as int8, and the scale of each as float32."""
    scales = np.abs(rows).max(axis=1, keepdims=True) / _LARGEST
    scaled = np.divide(rows, scales, out=np.zeros_like(rows), where=scales > 0)
    return np.rint(scaled).astype(np.int8), scales[:, 0].astype(np.float32)


def unpacked(folder: Path) -> dict[str, Array]:
    """Return the weights that were packed to `folder`, float16."""
    kept = load_file(folder / PACKED)
    found = {}
    for name, weight in kept.items():
        if name.endswith((_SCALE, _COLUMN_SCALE)):
            continue
        if name + _COLUMN_SCALE in kept:
            weight = weight.astype(np.float32) * kept[name + _COLUMN_SCALE]
        scales = kept.get(name + _SCALE)
        if scales is not None:
            shape = (-1, *[1] * (weight.ndim - 1))
            weight = weight.astype(np.float32) * scales.reshape(shape)
        found[name] = weight.astype(np.float16)
    return found


def unpack_in_place(folder: Path, weights: str) -> None:
    """Replace what was packed to `folder` by the file `weights` of float16."""
    save_file(unpacked(folder), folder / weights)
    (folder / PACKED).unlink()


def unpacked_model(folder: Path) -> Path:
    """Return the folder in the models' cache in which a packed model is whole, made now if needed.

    It is called by a digest of what is packed: another version is another folder.
    Raises UserError where the cache cannot be written.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    whole = models_cache() / f"{folder.name}-{digest.hexdigest()[:_DIGITS]}"
    if whole.is_dir():
        return whole
    with explained(whole):
        whole.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{whole.name}-", dir=whole.parent))
        try:
            for path in folder.iterdir():
                if path.name != PACKED:
                    shutil.copyfile(path, part / path.name)
            save_file(unpacked(folder), part / _WEIGHTS, metadata={"format": "pt"})
            part.chmod(0o755)  # a temporary folder is its maker's alone
            try:
                part.rename(whole)
            except OSError:
                if not whole.is_dir():  # not unpacked by another process meanwhile
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    _remove_older(whole)
    return whole


def _remove_older(whole: Path) -> None:
    """Remove what another version of the same model was unpacked to."""
    name = whole.name.rpartition("-")[0]
    for other in whole.parent.glob(f"{name}-{'[0-9a-f]' * _DIGITS}"):
        if other != whole and not os.path.islink(other):
            shutil.rmtree(other, ignore_errors=True)
