"""The pictures of the text that an index is made from: out of stores, group by group, joined.

Free of torch. R rows, K pictures, U units (a picture, or the text between two).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.activations.picture_layout import PICTURE_DTYPE
from sae_desktop.activations.store_pictures import StorePictures
from sae_desktop.features.reading.layout import Pieces

if TYPE_CHECKING:
    from sae_desktop.features.reading.firing_files import FiringGroup

Array = npt.NDArray[Any]


def arrays_of_rows(
    pictures: StorePictures, first: int, last: int, documents: Array
) -> dict[str, Array]:
    """Return the arrays of a store's pictures in the rows first…last−1, counted from `first`.

    `documents`: those of the store that these rows are of, ascending. Nothing where there is no
    picture. The pictures themselves are left out, where the store has them.
    """
    numbers = pictures.of_rows(first, last) if len(pictures) else np.empty(0, np.int32)
    used = np.unique(numbers[numbers >= 0])
    if not len(used):
        return {}
    table, data = pictures.table[used], bytearray()
    for entry, number in zip(table, used.tolist(), strict=True):
        record = msgspec.json.encode(pictures.get(number).record)
        small = pictures.thumbnail(number)
        entry["data_first"] = len(data)
        entry["record_bytes"], entry["thumbnail_bytes"] = len(record), len(small)
        data += record + small
    table["whole_bytes"] = 0
    table["first_row"] -= first
    table["document"] = np.searchsorted(documents, table["document"])
    place = np.where(numbers >= 0, np.searchsorted(used, numbers), -1)
    return {
        "picture": place.astype(np.int32),
        "picture_token": pictures.tokens_of_rows(first, last).astype(np.int32),
        "pictures": table,
        "picture_data": np.frombuffer(bytes(data), np.uint8),
    }


@dataclass(frozen=True)
class JoinedPictures:
    """All pictures of an index's text."""

    picture: Array
    """(R,) −1 of a row of text."""
    token: Array
    table: Array
    """(K,) of PICTURE_DTYPE."""
    groups: Sequence[FiringGroup]

    @cached_property
    def on_picture(self) -> Array:
        """(R,) whether a row is a token of a picture."""
        return self.picture >= 0

    @cached_property
    def edges(self) -> Array:
        """Rows, ascending, at which a picture begins or has ended."""
        ends = self.table["first_row"] + self.table["rows"]
        found = np.unique(np.concatenate([self.table["first_row"], ends]))
        return found[found < len(self.picture)]

    @property
    def longest(self) -> int:
        """Rows of the longest picture."""
        return int(self.table["rows"].max(initial=0))

    def bounds(self, rows: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Return first rows and ends of what is kept around each of `rows`: of a picture's the
        whole of it, of others `low` and `high`."""
        number = self.picture[rows]
        first = self.table["first_row"][np.maximum(number, 0)]
        end = first + self.table["rows"][np.maximum(number, 0)]
        return np.where(number >= 0, first, low), np.where(number >= 0, end, high)

    def arrays(self) -> dict[str, Array | Pieces]:
        """Return what an index's file holds of them."""
        size = sum(group.length("picture_data") for group in self.groups)
        return {
            "picture": self.picture,
            "picture_token": self.token,
            "pictures": self.table,
            "picture_data": Pieces(size, np.dtype("u1"), self._data()),
        }

    def _data(self) -> Iterator[Array]:
        for group in self.groups:
            yield group.read("picture_data")


def joined_pictures(
    groups: Sequence[FiringGroup], documents: Sequence[Array]
) -> JoinedPictures | None:
    """Put the pictures of groups together; None where all rows are of text.

    `documents`: what each group's documents are in the index.
    """
    having = [group for group in groups if group.has("pictures")]
    if not having:
        return None
    picture, token, tables = [], [], [np.empty(0, PICTURE_DTYPE)]
    rows = count = size = 0
    for group, place in zip(groups, documents, strict=True):
        if group.has("pictures"):
            own = group.read("picture")
            picture.append(np.where(own >= 0, own + count, -1).astype(np.int32))
            token.append(group.read("picture_token"))
            table = group.read("pictures").copy()
            table["first_row"] += rows
            table["data_first"] += size
            table["document"] = place[table["document"]]
            tables.append(table)
            count += len(table)
            size += group.length("picture_data")
        else:
            nothing = np.full(group.info.text.rows, -1, np.int32)
            picture.append(nothing)
            token.append(nothing)
        rows += group.info.text.rows
    return JoinedPictures(
        np.concatenate(picture), np.concatenate(token), np.concatenate(tables), having
    )
