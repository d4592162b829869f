"""Which features are one concept in words and pictures: `features/<index>.kinds`, HDF5.

Free of torch and Qt. F features; of one that was not measured areas are NaN, concepts −1:

    concept, drawn         (F,)   int32, places in the info's `concepts`, chosen on words and on
                                  pictures
    words, pictures, back  (F, 3) float32: area, low, high, as in `SameConcept`
    languages, chance, drawn_at, back_chance  (F,) float32
    fires                  (F,)   uint8: ON_WORDS where it fires on a word that is chosen on,
                                  ON_PICTURES on a picture

The scores are of a dictionary and its model; beside an index of another they are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import kinds_path
from sae_desktop.features.reading.label_score import Figure
from sae_desktop.features.reading.same_concept import (
    BACK,
    COLUMN,
    CONCEPT_COLUMN,
    LANGUAGES,
    LOW,
    Lacking,
    SameConcept,
)
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, MappedFile, extents, read_struct

KIND = "concept_kinds"
SCHEMA_VERSION = 1
ON_WORDS, ON_PICTURES = 1, 2
ARRAYS = {
    "concept": Accepted(WHOLE, ("F",)),
    "drawn": Accepted(WHOLE, ("F",)),
    "words": Accepted(FLOATS, ("F", 3)),
    "pictures": Accepted(FLOATS, ("F", 3)),
    "back": Accepted(FLOATS, ("F", 3)),
    "languages": Accepted(FLOATS, ("F",)),
    "chance": Accepted(FLOATS, ("F",)),
    "drawn_at": Accepted(FLOATS, ("F",)),
    "back_chance": Accepted(FLOATS, ("F",)),
    "fires": Accepted(WHOLE, ("F",)),
}
"""What the reader takes."""
_DTYPES = {"concept": np.int32, "drawn": np.int32, "fires": np.uint8}

Array = npt.NDArray[Any]


class KindsInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured; an attribute of the file."""

    dictionary_hash: str
    concepts: list[str]
    chosen_on: list[str]
    """The languages in whose words concepts are chosen."""
    pictures: int
    """That were read."""
    made: str = ""
    """When, ISO 8601, UTC."""


class KindScores:
    """The scores of an index's features, read from their file."""

    def __init__(self, info: KindsInfo, arrays: Mapping[str, Array]) -> None:
        self.info = info
        self._arrays = dict(arrays)
        count = len(info.concepts)
        a = self._arrays
        within = [(a[name] >= 0) & (a[name] < count) for name in ("concept", "drawn")]
        areas = [a[name].reshape(len(a[name]), -1) for name in ("words", "pictures", "back")]
        known = np.isfinite(np.concatenate(areas, axis=1)).all(axis=1)
        self._known = known & within[0] & within[1]
        self.columns: dict[str, Array] = {
            CONCEPT_COLUMN: np.where(self._known, a["concept"], -1).astype(np.int32),
            COLUMN: self._scored(np.minimum(a["words"][:, 0], a["pictures"][:, 0])),
            LOW: self._scored(np.minimum(a["words"][:, 1], a["pictures"][:, 1])),
            BACK: self._scored(a["back"][:, 0]),
        }
        """The columns (F,) that they give an index."""
        if np.isfinite(a["languages"]).any():
            self.columns[LANGUAGES] = self._scored(a["languages"])

    def _scored(self, values_F: Array) -> Array:
        return np.where(self._known, values_F, np.nan).astype(np.float32)

    def score(self, feature: int) -> SameConcept | None:
        """Return what is known of a feature; None: nothing, and `lacking` says why."""
        if not 0 <= feature < len(self._known) or not self._known[feature]:
            return None
        a, concepts = self._arrays, self.info.concepts
        languages = float(a["languages"][feature])
        return SameConcept(
            concept=concepts[a["concept"][feature]],
            words=Figure(*map(float, a["words"][feature])),
            languages=languages if np.isfinite(languages) else None,
            pictures=Figure(*map(float, a["pictures"][feature])),
            chance=float(a["chance"][feature]),
            drawn=concepts[a["drawn"][feature]],
            drawn_at=float(a["drawn_at"][feature]),
            back=Figure(*map(float, a["back"][feature])),
            back_chance=float(a["back_chance"][feature]),
        )

    def lacking(self, feature: int) -> Lacking | None:
        """Return on what a feature never fired, so that it has no score; None: it has one."""
        if not 0 <= feature < len(self._known) or self._known[feature]:
            return None
        fires = int(self._arrays["fires"][feature])
        if not fires & ON_WORDS:
            return "words" if fires & ON_PICTURES else "both"
        return "pictures"


def write_kinds(index: Path, info: KindsInfo, arrays: Mapping[str, Array]) -> None:
    """Write the arrays of ARRAYS in one step. Raises UserError when the disk is full."""
    path = kinds_path(index)
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        for name in ARRAYS:
            data = np.ascontiguousarray(arrays[name], _DTYPES.get(name, np.float32))
            file.create_dataset(name, data=data)


def open_kinds(path: Path, features: int, digest: str) -> KindScores | None:
    """Read the scores in a file, if it is there and they are of this dictionary.

    A damaged file counts as none: they can be measured again.
    """
    if not path.is_file():
        return None
    try:
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            info = read_struct(file, "info", KindsInfo)
            mapped = MappedFile(path, extents(path, file, ARRAYS, {"F": features}))
    except (UserError, OSError, ValueError):
        return None
    if info.dictionary_hash != digest:
        return None
    # Copies: the file may be written again while its index is open.
    return KindScores(info, {name: np.array(array) for name, array in mapped.arrays.items()})


def read_kinds(index: Path, features: int, digest: str) -> KindScores | None:
    """Read the scores beside an index, as `open_kinds` does."""
    return open_kinds(kinds_path(index), features, digest)
