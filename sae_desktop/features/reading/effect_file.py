"""What features do when turned up, beside their index: `features/<name>.effect`, HDF5.

Free of torch and Qt. F features; a feature that was not tried has NaN throughout:

    columns/output_effect        (F,)  float32, nats
    columns/suggested_strength   (F,)  float32, of `KnownStrength`; NaN: none works
    columns/turn                 (F,)  float32
    columns/safe_low, safe_high  (F,)  float32
    columns/strength_verdict     (F,)  int8, place in VERDICTS; 0: not tried

Schema 1 has the first alone, and so has a file whose strengths were not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.effect_path import effect_path
from sae_desktop.features.reading.known_strength import KnownStrength, Verdict
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import (
    FLOATS,
    WHOLE,
    Accepted,
    MappedFile,
    extents,
    read_struct,
)

KIND = "output_effect"
SCHEMA_VERSION = 2
COLUMN = "output_effect"
SUGGESTED, TURN = "suggested_strength", "turn"
LOW, HIGH, VERDICT = "safe_low", "safe_high", "strength_verdict"
STRENGTH_COLUMNS = (SUGGESTED, TURN, LOW, HIGH, VERDICT)
ARRAYS = {
    f"columns/{COLUMN}": Accepted(FLOATS, ("F",)),
    **{f"columns/{name}": Accepted(FLOATS, ("F",), needed=False)
       for name in STRENGTH_COLUMNS if name != VERDICT},
    f"columns/{VERDICT}": Accepted(WHOLE, ("F",), needed=False),
}  # fmt: skip
"""What the reader takes."""
VERDICTS: tuple[Verdict, ...] = ("works", "breaks_first", "too_little")
"""Kept as 1, 2 and 3."""

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]


class EffectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured; an attribute of the file."""

    dictionary_hash: str
    strength: float
    """In multiples of each feature's maximum."""
    prompts: list[str]
    continued: list[str] = []
    """Prompts continued at many strengths; none: strengths were not tried."""


def write_effects(
    index: Path, info: EffectInfo, effects_F: Array, strengths: Columns | None = None
) -> None:
    """Write effects in one step, with the columns of STRENGTH_COLUMNS where they were measured.

    Raises UserError when the disk is full.
    """
    path = effect_path(index)
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        file.create_dataset(f"columns/{COLUMN}", data=np.asarray(effects_F, np.float32))
        for name, column in (strengths or {}).items():
            dtype = np.int8 if name == VERDICT else np.float32
            file.create_dataset(f"columns/{name}", data=np.asarray(column, dtype))


def read_effects(index: Path, features: int, digest: str) -> dict[str, Array] | None:
    """Return the columns (F,) measured for an index of this dictionary; None: none, or of another.

    A damaged file counts as none: they can be measured again.
    """
    found = read_measured(index, features, digest)
    return None if found is None else found[1]


def read_measured(
    index: Path, features: int, digest: str
) -> tuple[EffectInfo, dict[str, Array]] | None:
    """Return the same with how it was measured."""
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
    # Copies: the file may be written anew while its index is open.
    found = {name.removeprefix("columns/"): array for name, array in mapped.arrays.items()}
    columns = {name: np.array(array) for name, array in found.items()}
    if not all(name in columns for name in STRENGTH_COLUMNS):
        return info, {COLUMN: columns[COLUMN].astype(np.float32)}
    return info, columns


def no_strengths(features: int) -> dict[str, Array]:
    """Return the columns of strengths where no feature was tried."""
    columns: dict[str, Array] = {
        name: np.full(features, np.nan, np.float32) for name in STRENGTH_COLUMNS
    }
    columns[VERDICT] = np.zeros(features, np.int8)
    return columns


def put_strength(columns: Mapping[str, Array], feature: int, known: KnownStrength) -> None:
    """Write what is known of a feature into the columns."""
    columns[SUGGESTED][feature] = np.nan if known.suggested is None else known.suggested
    columns[TURN][feature] = known.turn
    columns[LOW][feature], columns[HIGH][feature] = known.low, known.high
    columns[VERDICT][feature] = VERDICTS.index(known.verdict) + 1


def strength_of(columns: Columns, feature: int) -> KnownStrength | None:
    """Return what is known of a feature's strengths; None: they were not tried."""
    if any(name not in columns for name in STRENGTH_COLUMNS):
        return None
    code = int(columns[VERDICT][feature])
    low, high, turn, suggested = (
        _as_written(columns[name][feature]) for name in (LOW, HIGH, TURN, SUGGESTED)
    )
    if not 1 <= code <= len(VERDICTS) or not np.isfinite([low, high, turn]).all():
        return None
    works = VERDICTS[code - 1] == "works" and np.isfinite(suggested)
    return KnownStrength(
        verdict=VERDICTS[code - 1], suggested=suggested if works else None, turn=turn, low=low,
        high=high,
    )  # fmt: skip


def _as_written(value: Any) -> float:
    """Return a number of a column with the digits that were written: 2.4, not 2.4000001."""
    return float(f"{float(value):.6g}")
