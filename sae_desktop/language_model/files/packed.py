"""A model that ships in 8 bit, unpacked into the models' cache when it is first opened.

Every matrix is kept as int8 with one scale a row, `w ≈ q · s`, `s = max|w| / 127`; vectors as
float16. Unpacked it is an ordinary folder of float16 weights. Free of torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
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
_SCALE = ".row_scale"
"""Ends the name of a matrix's scales."""
_DIGITS = 16
_LARGEST = 127

Array = npt.NDArray[Any]


def pack(weights: Mapping[str, Array], folder: Path, fine: str = "") -> None:
    """Write weights of any shape to `folder`, those of two dimensions and more in 8 bit.

    `fine`: part of the names of weights that stay in 16 bit, such as those whose products all but
    cancel a bias.
    """
    kept: dict[str, Array] = {}
    for name, weight in weights.items():
        if weight.ndim < 2 or (fine and fine in name):
            kept[name] = weight.astype(np.float16)
            continue
        rows = weight.reshape(len(weight), -1).astype(np.float32)
        scales = np.abs(rows).max(axis=1, keepdims=True) / _LARGEST
        scaled = np.divide(rows, scales, out=np.zeros_like(rows), where=scales > 0)
        kept[name] = np.rint(scaled).astype(np.int8).reshape(weight.shape)
        kept[name + _SCALE] = scales[:, 0].astype(np.float32)
    save_file(kept, folder / PACKED)


def unpacked(folder: Path) -> dict[str, Array]:
    """Return the weights that were packed to `folder`, float16."""
    kept = load_file(folder / PACKED)
    found = {}
    for name, weight in kept.items():
        if name.endswith(_SCALE):
            continue
        scales = kept.get(name + _SCALE)
        if scales is not None:
            shape = (-1, *[1] * (weight.ndim - 1))
            weight = weight.astype(np.float32) * scales.reshape(shape)
        found[name] = weight.astype(np.float16)
    return found


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
