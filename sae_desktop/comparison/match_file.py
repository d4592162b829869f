"""Two dictionaries matched: `matches/<smaller>~<larger>.h5`. Free of torch and Qt.

A and B features of the smaller and the larger dictionary, N kept:

    larger/ids, cosines     (A, N)   for each of the smaller one's features the nearest of the
                                     larger, by decoder cosine; −1: fewer than N
    smaller/ids, cosines    (B, N)   the other way round
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, MappedFile, extents, read_struct

KIND = "match"
SCHEMA_VERSION = 1
ARRAYS = {
    "larger/ids": Accepted(WHOLE, ("A", "N")),
    "larger/cosines": Accepted(FLOATS, ("A", "N")),
    "smaller/ids": Accepted(WHOLE, ("B", "N")),
    "smaller/cosines": Accepted(FLOATS, ("B", "N")),
}
"""What the reader takes."""

Array = npt.NDArray[Any]


class MatchedDictionary(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    hash: str
    features: int
    site: str


class MatchInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of the file."""

    smaller: MatchedDictionary
    larger: MatchedDictionary
    nearest: int
    over: tuple[str, ...] = ()
    """The outputs by which they are compared, where a dictionary writes several."""

    @property
    def sides(self) -> tuple[MatchedDictionary, MatchedDictionary]:
        return self.smaller, self.larger


def write_match(path: Path, info: MatchInfo, arrays: Mapping[str, Array]) -> None:
    """Write a match in one step. Raises UserError when the disk is full."""
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as part, new_file(part) as file:
            write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
            for name in ARRAYS:
                file.create_dataset(name, data=arrays[name])


def read_match_info(path: Path) -> MatchInfo:
    """Return what a match is of. Raises UserError when it is missing or damaged."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        return _info(path, file)


def _info(path: Path, file: h5py.File) -> MatchInfo:
    try:
        return read_struct(file, "info", MatchInfo)
    except ValueError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: object) -> UserError:
    return UserError(
        f"The match “{path.name}” is damaged: {error}.",
        next_step="Match the dictionaries again.",
    )


class Match:
    """A match, its arrays mapped from the file."""

    def __init__(self, path: Path) -> None:
        """Open a match. Raises UserError when it is missing, damaged or too new."""
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            self.info = _info(path, file)
            info = self.info
            sizes = {"A": info.smaller.features, "B": info.larger.features, "N": info.nearest}
            try:
                self._file = MappedFile(path, extents(path, file, ARRAYS, sizes))
            except ValueError as error:
                raise _damaged(path, error) from error
        self._mapped = {name: np.asarray(values) for name, values in self._file.arrays.items()}

    @property
    def _arrays(self) -> dict[str, Array]:
        self._file.check_whole()
        return self._mapped

    def nearest(self, dictionary: str, feature: int) -> list[tuple[int, float]]:
        """Return (feature of the other dictionary, cosine), the nearest first."""
        side = "larger" if dictionary == self.info.smaller.name else "smaller"
        ids = self._arrays[f"{side}/ids"][feature]
        cosines = self._arrays[f"{side}/cosines"][feature]
        return [(int(i), float(c)) for i, c in zip(ids, cosines, strict=True) if i >= 0]

    def best_cosines(self, side: Literal["larger", "smaller"]) -> Array:
        """Return the cosine of every feature with its nearest on a side: (A,) or (B,)."""
        return self._arrays[f"{side}/cosines"][:, 0]

    def other(self, dictionary: str) -> str:
        """Return the name of the dictionary that is matched with `dictionary`."""
        info = self.info
        return info.larger.name if dictionary == info.smaller.name else info.smaller.name

    def parts(self, feature: int) -> list[tuple[int, float]]:
        """Return the larger one's features whose nearest is `feature` of the smaller, with cosines.

        The closest first. Each feature of the larger dictionary is a part of exactly one.
        """
        order, offsets = self._parts
        ids = order[offsets[feature] : offsets[feature + 1]]
        cosines = self._arrays["smaller/cosines"][ids, 0]
        nearest_first = np.argsort(-cosines, kind="stable")
        return [(int(ids[i]), float(cosines[i])) for i in nearest_first]

    @cached_property
    def _parts(self) -> tuple[Array, Array]:
        """Features of the larger by their nearest of the smaller: order, offsets (A + 1,)."""
        parents = np.asarray(self._arrays["smaller/ids"][:, 0])
        counts = np.bincount(parents, minlength=self.info.smaller.features)
        return np.argsort(parents, kind="stable"), np.concatenate([[0], np.cumsum(counts)])
