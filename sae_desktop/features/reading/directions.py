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


def unit_directions(folder: Path, name: str, features: Sequence[int]) -> Array:
    """Return the directions (n, width) of some features, of length 1; zero stays zero.

    `name` is DECODER, the direction a feature writes, or ENCODER, the one it reads. Raises
    UserError where a dictionary keeps no such matrix, and for one that cannot be read.
    """
    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="numpy") as file:
            if name not in set(file.keys()):
                raise UserError(f"The dictionary “{folder.name}” has no one direction per feature.")
            matrix = file.get_slice(name)
            rows = [
                matrix[f : f + 1] if name == DECODER else matrix[:, f : f + 1].T for f in features
            ]
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The weights of the dictionary “{folder.name}” cannot be read: {error}.",
            next_step="Restore them from a copy.",
        ) from error
    found = np.concatenate(rows).astype(np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(lengths, 1e-20))


def cosines(folder: Path, name: str, features: Sequence[int]) -> Array:
    """Return the cosines (n, n) between the directions of some features. Raises UserError."""
    directions = unit_directions(folder, name, features)
    return np.asarray(directions @ directions.T)
