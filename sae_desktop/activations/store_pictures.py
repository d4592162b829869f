"""The pictures of a store, read. Free of torch: the window asks here, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.layout import damaged_store
from sae_desktop.activations.picture_layout import (
    PICTURE_DTYPE,
    PictureRecord,
    check_entries,
    decode_record,
)

Array = npt.NDArray[Any]


class PictureSegment(Protocol):
    """What is asked of each file of a store."""

    path: Path

    def counts(self) -> dict[str, int]:
        """Return how many rows, and entries of each table, there are."""

    def part(self, name: str, first: int, last: int) -> Array:
        """Return the entries first…last−1 of a dataset by row or of a table."""


@dataclass(frozen=True)
class StoredPicture:
    """A picture as a store has it."""

    number: int
    """Its place in the store, from 0: what `/picture` has in its rows."""
    record: PictureRecord
    digest: str
    """SHA-256 of its file."""
    document: int
    """Row of the store's documents."""
    first_row: int
    """Of the store."""
    rows: int
    """From its first token's to its last one's."""
    kept: bool
    """Whether the store has the picture itself, beside the thumbnail."""


class StorePictures:
    """The pictures of a store, those of all its files; none where it has texts alone."""

    def __init__(self, segments: Sequence[PictureSegment], starts: Sequence[int]) -> None:
        """Take a store's files, and the store's row with which each begins."""
        self._segments, self._row_starts = list(segments), list(starts)
        self._counts = [segment.counts() for segment in segments]
        own = [counts.get("pictures", 0) for counts in self._counts]
        self._starts = [0, *np.cumsum(own).tolist()]
        documents = [counts["documents"] for counts in self._counts]
        self._document_starts = [0, *np.cumsum(documents).tolist()]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def of_rows(self, first: int = 0, last: int | None = None) -> Array:
        """Return the picture (R,) of the rows first…last−1; −1 of a row of text."""
        return self._by_row("picture", first, last)

    def tokens_of_rows(self, first: int = 0, last: int | None = None) -> Array:
        """Return which of its picture's tokens each row is (R,); −1 of a row of text."""
        return self._by_row("picture_token", first, last)

    @property
    def table(self) -> Array:
        """(pictures,) of PICTURE_DTYPE, rows and documents counted over the whole store.

        Raises UserError where a picture is of what is not there.
        """
        parts = [np.empty(0, dtype=PICTURE_DTYPE)]
        for number, counts in enumerate(self._counts):
            if counts.get("pictures"):
                part = self._entries(number, 0, counts["pictures"]).astype(PICTURE_DTYPE)
                part["first_row"] += self._row_starts[number]
                part["document"] += self._document_starts[number]
                parts.append(part)
        return np.concatenate(parts)

    def get(self, number: int) -> StoredPicture:
        """Return a picture by its number.

        Raises UserError where what is kept is damaged, or a row names a picture that is not there.
        """
        place, entry = self._entry(number)
        size = int(entry["record_bytes"])
        try:
            record = decode_record(self._data(place, entry, 0, size), entry)
        except (ValueError, RecursionError) as error:
            raise damaged_store(self._segments[place].path, error) from error
        return StoredPicture(
            number=number,
            record=record,
            digest=entry["digest"].decode("ascii", "replace"),
            document=int(entry["document"]) + self._document_starts[place],
            first_row=int(entry["first_row"]) + self._row_starts[place],
            rows=int(entry["rows"]),
            kept=bool(entry["whole_bytes"]),
        )

    def rows(self, number: int) -> Array:
        """Return the rows (tokens,) of a picture, in the order of its tokens."""
        place, entry = self._entry(number)
        first = int(entry["first_row"]) + self._row_starts[place]
        last = first + int(entry["rows"])
        own = np.flatnonzero(self.of_rows(first, last) == number) + first
        return np.asarray(own[np.argsort(self.tokens_of_rows(first, last)[own - first])])

    def thumbnail(self, number: int) -> bytes:
        """Return a picture's small copy, a WebP file; decode it by `pictures.reading`."""
        place, entry = self._entry(number)
        return self._data(place, entry, int(entry["record_bytes"]), int(entry["thumbnail_bytes"]))

    def whole(self, number: int) -> bytes:
        """Return the picture's file as it was found; empty where the store does not keep it."""
        place, entry = self._entry(number)
        before = int(entry["record_bytes"]) + int(entry["thumbnail_bytes"])
        return self._data(place, entry, before, int(entry["whole_bytes"]))

    def _entry(self, number: int) -> tuple[int, Any]:
        """Return the file that has a picture, and its entry there."""
        if not 0 <= number < len(self):
            error = f"it has {len(self):,} pictures, and none with the number {number:,}"
            raise damaged_store(self._segments[0].path.parent, error)
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        own = number - self._starts[place]
        return place, self._entries(place, own, own + 1)[0]

    def _entries(self, place: int, first: int, last: int) -> Array:
        """Return entries of a file's table, held to what else the file has."""
        segment, counts = self._segments[place], self._counts[place]
        table = segment.part("pictures", first, last)
        try:
            check_entries(table, counts["rows"], counts["documents"], counts["picture_data"])
        except ValueError as error:
            begin = self._starts[place]
            which = f"picture {begin + first:,}"
            if last - first > 1:
                which = f"one of the pictures {begin + first:,} to {begin + last - 1:,}"
            raise damaged_store(segment.path, f"of {which}, {error}") from error
        return table

    def _data(self, place: int, entry: Any, after: int, size: int) -> bytes:
        first = int(entry["data_first"]) + after
        return self._segments[place].part("picture_data", first, first + size).tobytes()

    def _by_row(self, name: str, first: int, last: int | None) -> Array:
        last = int(self._row_starts[-1]) if last is None else last
        parts = [np.empty(0, dtype="<i4")]
        for place, segment in enumerate(self._segments):
            begin, end = self._row_starts[place], self._row_starts[place + 1]
            low, high = max(first, begin), min(last, end)
            if low >= high:
                continue
            if "pictures" not in self._counts[place]:
                parts.append(np.full(high - low, -1, dtype="<i4"))
                continue
            part = segment.part(name, low - begin, high - begin)
            most = self._counts[place]["pictures" if name == "picture" else "rows"]
            if not -1 <= int(part.min()) <= int(part.max()) < max(most, 1):
                raise damaged_store(segment.path, "a row is of a picture that is not there")
            if name == "picture" and place:
                part = np.where(part >= 0, part + self._starts[place], -1).astype("<i4")
            parts.append(part)
        return np.asarray(parts[1]) if len(parts) == 2 else np.concatenate(parts)
