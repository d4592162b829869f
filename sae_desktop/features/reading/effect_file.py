"""What features do when turned up, beside their index: `features/<name>.effect`, HDF5.

Free of torch and Qt. F features:

    columns/output_effect   (F,)   float32, nats; NaN for a feature that never fired
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.effect_path import effect_path
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, Accepted, MappedFile, extents, read_struct

KIND = "output_effect"
SCHEMA_VERSION = 1
COLUMN = "output_effect"
ARRAYS = {f"columns/{COLUMN}": Accepted(FLOATS, ("F",))}
"""What the reader takes."""

Array = npt.NDArray[Any]


class EffectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured; an attribute of the file."""

    dictionary_hash: str
    strength: float
    """In multiples of each feature's maximum."""
    prompts: list[str]


def write_effects(index: Path, info: EffectInfo, effects_F: Array) -> None:
    """Write effects in one step. Raises UserError when the disk is full."""
    path = effect_path(index)
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        file.create_dataset(f"columns/{COLUMN}", data=np.asarray(effects_F, np.float32))


def read_effects(index: Path, features: int, digest: str) -> Array | None:
    """Return the effects (F,) measured for an index of this dictionary; None: none, or of another.

    A damaged file counts as none: they can be measured again.
    """
    path = effect_path(index)
    if not path.is_file():
        return None
    try:
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            info = read_struct(file, "info", EffectInfo)
            mapped = MappedFile(path, extents(path, file, ARRAYS, {"F": features}))
    except (UserError, OSError, ValueError):
        return None
    if info.dictionary_hash != digest:
        return None
    # A copy: the file may be written anew while its index is open.
    return np.array(mapped.arrays[f"columns/{COLUMN}"], np.float32)
