"""Where features read and write, row by row from a project's dictionary. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from sae_desktop.errors import UserError

Array = npt.NDArray[Any]

WEIGHTS = "sae_weights.safetensors"
DECODER, ENCODER = "W_dec", "W_enc"


def unit_directions(
    folder: Path, name: str, features: Sequence[int], typical: Array | None = None
) -> Array:
    """Return the directions (n, width) of some features, of length 1; zero stays zero.

    `name` is DECODER, the direction a feature writes, or ENCODER, the one it reads. Of several
    sites side by side each may be taken in its typical norms: `typical` (width,) of the columns.
    Raises UserError where a dictionary keeps no such matrix, and for one that cannot be read.
    """
    try:
        found = _rows(folder, name, features)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(
            f"The weights of the dictionary “{folder.name}” cannot be read: {error}.",
            next_step="Restore them from a copy.",
        ) from error
    if typical is not None and len(typical) == found.shape[1]:
        found = found / typical if name == DECODER else found * typical
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(lengths, 1e-20))


def _rows(folder: Path, name: str, features: Sequence[int]) -> Array:
    if not (folder / WEIGHTS).exists() and (folder / f"{name}_0.safetensors").exists():
        return _rows_of_layers(folder, name, features)
    with safe_open(folder / WEIGHTS, framework="numpy") as file:
        if name not in set(file.keys()):
            raise UserError(f"The dictionary “{folder.name}” has no one direction per feature.")
        matrix = file.get_slice(name)
        rows = [matrix[f : f + 1] if name == DECODER else matrix[:, f : f + 1].T for f in features]
    return np.concatenate(rows).astype(np.float32)


def _rows_of_layers(folder: Path, name: str, features: Sequence[int]) -> Array:
    """Return the rows of a cross-layer transcoder, whose layers have files of their own."""
    layers = len(list(folder.glob(f"{name}_*.safetensors")))
    found: Array | None = None
    each = 0
    for layer in range(layers):
        with safe_open(folder / f"{name}_{layer}.safetensors", framework="numpy") as file:
            matrix = file.get_slice(f"{name}_{layer}")
            shape = matrix.get_shape()
            each, width = shape[0], shape[-1]
            if found is None:
                found = np.zeros((len(features), layers * width), np.float32)
            for row, feature in enumerate(features):
                if feature // each == layer:
                    own = feature - layer * each
                    values = np.asarray(matrix[own : own + 1], np.float32).ravel()
                    found[row, layer * width : layer * width + len(values)] = values
    if found is None:
        raise ValueError("it has no layers")
    return found


def cosines(
    folder: Path, name: str, features: Sequence[int], typical: Array | None = None
) -> Array:
    """Return the cosines (n, n) between the directions of some features, as `unit_directions`.

    Raises UserError.
    """
    directions = unit_directions(folder, name, features, typical)
    return np.asarray(directions @ directions.T)
