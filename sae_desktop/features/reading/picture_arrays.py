"""The pictures of an index and of its firings: what the files hold, and its reading.

Free of torch and Qt. They are held as a store holds them, their small copies with them, so that an
index shows its pictures without the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.picture_layout import PICTURE_DTYPE
from sae_desktop.activations.store_pictures import StorePictures
from sae_desktop.storage.mapped import WHOLE, Accepted

Array = npt.NDArray[Any]

PICTURE_ARRAYS = {
    "picture": Accepted(WHOLE, ("R",), needed=False),
    "picture_token": Accepted(WHOLE, ("R",), needed=False),
    "pictures": Accepted(PICTURE_DTYPE, ("Q",), needed=False),
    "picture_data": Accepted(np.dtype("u1"), ("picture bytes",), needed=False),
}


class _Held:
    """The arrays of an index as the one file of a store."""

    def __init__(self, path: Path, arrays: Mapping[str, Array]) -> None:
        self.path, self._arrays = path, arrays

    def counts(self) -> dict[str, int]:
        return {
            "rows": len(self._arrays["picture"]),
            "documents": len(self._arrays["documents"]),
            "pictures": len(self._arrays["pictures"]),
            "picture_data": len(self._arrays["picture_data"]),
        }

    def part(self, name: str, first: int, last: int) -> Array:
        return np.asarray(self._arrays[name][first:last])


def has_pictures(arrays: Mapping[str, Array]) -> bool:
    """Return whether there are pictures among the arrays of an index."""
    return all(name in arrays for name in PICTURE_ARRAYS)


def pictures_of(path: Path, arrays: Mapping[str, Array]) -> StorePictures | None:
    """Return the pictures of an index, read as those of a store; None where it has none."""
    if not has_pictures(arrays):
        return None
    return StorePictures([_Held(path, arrays)], [0, len(arrays["picture"])])


def check_pictures(arrays: Mapping[str, Array], rows: int, documents: int) -> None:
    """Raise ValueError where someone else's index has pictures that do not match its rows."""
    if not any(name in arrays for name in PICTURE_ARRAYS):
        return
    if not has_pictures(arrays):
        raise ValueError("its pictures are not all there")
    picture, token = arrays["picture"], arrays["picture_token"]
    if picture.shape != (rows,) or token.shape != (rows,):
        raise ValueError("its pictures are not of as many rows as its text")
    held = pictures_of(Path(), arrays)
    assert held is not None
    count = len(held)
    if rows and not (int(picture.min()) >= -1 and int(picture.max()) < count):
        raise ValueError("a row is of a picture that is not there")
    table = held.table
    if count and not (
        0 <= int(table["document"].min()) <= int(table["document"].max()) < documents
    ):
        raise ValueError("a picture is of a document that is not there")
    for number, entry in enumerate(table):
        first, last = int(entry["first_row"]), int(entry["first_row"]) + int(entry["rows"])
        if not 0 <= first <= last <= rows:
            raise ValueError(f"picture {number:,} lies outside of the text")
        own = token[first:last][picture[first:last] == number]
        if not np.array_equal(np.sort(own), np.arange(int(entry["tokens"]))):
            raise ValueError(f"picture {number:,} does not have the rows of its tokens")
        held.get(number)
