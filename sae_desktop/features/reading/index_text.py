"""The text of an index: passages, documents, and what they say of a row. Free of torch.

P passages, D documents, R rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.features.reading.firing_files import FiringGroup
from sae_desktop.features.reading.joined_pictures import (
    JoinedPictures,
    arrays_of_rows,
    joined_pictures,
)
from sae_desktop.features.reading.layout import DOCUMENT_DTYPE, MANY_SOURCES, OTHER, PASSAGE_DTYPE

Array = npt.NDArray[Any]


def merged_passages(passages: Array) -> Array:
    """Join neighbours of one document whose rows and offsets follow on one another."""
    before, after = passages[:-1], passages[1:]
    follows = (
        (before["document"] == after["document"])
        & (before["first_row"] + before["length"] == after["first_row"])
        & (before["offset"] + before["length"] == after["offset"])
    )
    starts = np.flatnonzero(np.concatenate([[True], ~follows]))[: len(passages)]
    joined = passages[starts].copy()
    if len(joined):
        joined["length"] = np.add.reduceat(passages["length"], starts)
    return joined


class StoreText:
    """The passages of a store, read once and cut into groups."""

    def __init__(self, store: ActivationStore) -> None:
        self._store = store
        self._documents = store.documents
        spans = store.spans
        passages = np.zeros(len(spans), PASSAGE_DTYPE)
        for name in PASSAGE_DTYPE.names or ():
            passages[name] = spans[name]
        windows = store.windows
        self._passages = _without_gaps(passages, windows)
        self._windows = windows["first_row"]
        # A row's place in its window counts what stands before it, a BOS too.
        places = store.positions[self._windows].astype(np.int64)
        self._read_before = np.maximum(places - len(store.info.prefix), 0).astype(np.int32)

    def of_rows(self, first: int, last: int) -> dict[str, Array]:
        """Return tokens, passages and documents of whole windows, counted from `first`."""
        low, high = np.searchsorted(self._passages["first_row"], [first, last])
        passages = self._passages[low:high].copy()
        passages["first_row"] -= first
        own = slice(*np.searchsorted(self._windows, [first, last]))
        used, number = np.unique(passages["document"], return_inverse=True)
        passages["document"] = number
        documents = np.zeros(len(used), DOCUMENT_DTYPE)
        for name in ("ordinal", "source", "language", "title"):
            documents[name] = self._documents[used][name]
        for place in np.flatnonzero(self._documents["metadata_bytes"][used]):
            group = self._store.metadata(int(used[place])).get("group", "")
            documents["group"][place] = str(group or "").encode()[:_GROUP_BYTES]
        return {
            **arrays_of_rows(self._store.pictures, first, last, used),
            "tokens": np.asarray(self._store.tokens[first:last], np.int32),
            "passages": merged_passages(passages),
            "documents": documents,
            "windows": self._windows[own] - first,
            "read_before": self._read_before[own],
        }


_GROUP_BYTES = DOCUMENT_DTYPE["group"].itemsize


def _without_gaps(passages: Array, windows: Array) -> Array:
    """Give rows that are in no span, those of a kept BOS, passages of their own."""
    passages = passages[passages["length"] > 0]
    total = int((windows["first_row"] + windows["length"]).max(initial=0))
    starts = np.concatenate([[0], passages["first_row"] + passages["length"]])
    ends = np.concatenate([passages["first_row"], [total]])
    empty = starts < ends
    if not empty.any():
        return passages
    gaps = np.zeros(int(empty.sum()), PASSAGE_DTYPE)
    gaps["first_row"], gaps["length"] = starts[empty], (ends - starts)[empty]
    window = np.searchsorted(windows["first_row"], gaps["first_row"], side="right") - 1
    gaps["document"] = windows["document"][window]
    gaps["offset"] = -1  # before any token of the document
    both = np.concatenate([passages, gaps])
    return both[np.argsort(both["first_row"], kind="stable")]


@dataclass(frozen=True)
class IndexText:
    """All text of an index but its tokens."""

    passages: Array
    documents: Array
    windows: Array
    """(W,) first rows of what the model read at once, ascending."""
    rows: int
    read_before: Array
    """(W,) tokens of its document that the model read in a window before its first row."""
    pictures: JoinedPictures | None = None
    """None where all rows are of text."""

    @property
    def has_windows(self) -> bool:
        """False for rows that were imported, each for itself."""
        return len(self.windows) < self.rows

    @cached_property
    def begins_window(self) -> Array:
        """(R,) whether a row is the first of a window, with nothing or a token that is not kept
        before it."""
        found = np.zeros(self.rows, dtype=np.bool_)
        found[self.windows[self.read_before <= 1]] = True
        return found

    @cached_property
    def units(self) -> Array:
        """First rows of what one context is of: a window, or in it a picture, or the text up to
        the next one; ascending."""
        if self.pictures is None:
            return self.windows
        return np.union1d(self.windows, self.pictures.edges)

    def window_of(self, rows: Array) -> Array:
        """Return which window each row is in."""
        return np.asarray(np.searchsorted(self.windows, rows, side="right") - 1)

    def passage_of(self, rows: Array) -> Array:
        """Return which passage each row is in."""
        return np.asarray(np.searchsorted(self.passages["first_row"], rows, side="right") - 1)

    @cached_property
    def languages(self) -> Names:
        """Languages of the passages; of very many the largest."""
        return self._names("language")

    @cached_property
    def sources(self) -> Names:
        """Sources of the passages; of very many the largest."""
        return self._names("source")

    def _names(self, field: str) -> Names:
        values, first, number = np.unique(
            self.documents[field], return_index=True, return_inverse=True
        )
        rank = np.argsort(np.argsort(first))
        values, number = values[np.argsort(first)], rank[number]
        of_passage = number[self.passages["document"]]
        rows = np.bincount(of_passage, self.passages["length"], len(values)).astype(np.int64)
        return _largest(values, rows, of_passage)

    @cached_property
    def is_aligned(self) -> Array:
        """(D,) whether a document's group has documents in at least two languages."""
        groups, number = np.unique(self.documents["group"], return_inverse=True)
        _, language = np.unique(self.documents["language"], return_inverse=True)
        lowest = np.full(len(groups), language.max(initial=0) + 1)
        highest = np.full(len(groups), -1)
        np.minimum.at(lowest, number, language)
        np.maximum.at(highest, number, language)
        return np.asarray(((lowest < highest) & (groups != b""))[number])


@dataclass(frozen=True)
class Names:
    """Languages or sources, in the order in which they appear."""

    names: list[str]
    rows: Array
    """(G,) rows of the text in each."""
    of_passage: Array
    """(P,) which it is; −1 where the text does not say."""


def _largest(values: Array, rows: Array, of_passage: Array) -> Names:
    named = values != b""
    kept = np.flatnonzero(named)
    if len(kept) > MANY_SOURCES:
        most = np.argsort(-rows[kept], kind="stable")[:MANY_SOURCES]
        kept = kept[np.sort(most)]
    place = np.full(len(values), -1)
    place[kept] = np.arange(len(kept))
    names = [values[i].decode("utf-8", "replace") for i in kept]
    if len(kept) < named.sum():
        place[named & (place < 0)] = len(kept)
        names.append(OTHER)
    number = place[of_passage]
    totals = np.zeros(len(names), np.int64)
    np.add.at(totals, place[named], rows[named])
    return Names(names, totals, number)


def joined_text(groups: Sequence[FiringGroup]) -> IndexText:
    """Put the groups' text together; a document that is in several groups is one again."""
    passages, documents, windows, before, places = [], [], [], [], []
    numbers: dict[bytes, int] = {}
    rows = 0
    for group in groups:
        own, table = group.read("passages").copy(), group.read("documents")
        store = blake2b(group.info.text.activations.encode(), digest_size=32).digest()
        place = np.empty(len(table), np.int64)
        new = []
        for number, document in enumerate(table):
            # A digest: there may be millions of documents.
            told = blake2b(document.tobytes(), digest_size=16, key=store).digest()
            if told not in numbers:
                numbers[told] = len(numbers)
                new.append(number)
            place[number] = numbers[told]
        own["first_row"] += rows
        own["document"] = place[own["document"]]
        places.append(place)
        passages.append(own)
        windows.append(group.read("windows") + rows)
        before.append(
            group.read("read_before")
            if group.has("read_before")
            else np.zeros(len(windows[-1]), np.int32)
        )
        documents.append(table[new])
        rows += group.info.text.rows
    return IndexText(
        merged_passages(np.concatenate(passages)),
        np.concatenate(documents),
        np.concatenate(windows),
        rows,
        np.concatenate(before),
        joined_pictures(groups, places),
    )


def token_pieces(groups: Sequence[FiringGroup]) -> Iterator[Array]:
    """Yield the tokens of all rows, group by group."""
    for group in groups:
        yield group.read("tokens")
