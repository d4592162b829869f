"""Contexts drawn from an index: the text around a firing, and what fires in it."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.index_file import IndexFile, decoded
from sae_desktop.features.reading.picture_contexts import PicturesInContexts, picture_token

Array = npt.NDArray[Any]

_LONGEST_DOCUMENT = 1 << 40
"""Tokens, more than any has."""
BEFORE = 0.75
"""Of a context's tokens, the share shown before the chosen one."""


class _Document(TypedDict):
    source: str
    language: str
    title: str
    group: str


class ContextReader:
    """Draws the contexts of an index, with as much text around as is asked for."""

    def __init__(self, index: IndexFile) -> None:
        self._index = index

    def read(
        self, feature: int, slot: int, before: int | None = -1, after: int | None = -1
    ) -> Context:
        """Return one context, drawn with as much text as is asked for.

        `before`, `after`: as `FeatureIndex.contexts` has them.
        """
        a = self._index.arrays
        row = int(a["contexts/row"][feature, slot])
        if self._pictures is not None and self._pictures.is_of_picture(row):
            return self._of_picture(feature, slot, row)
        passage = self._index.passages[self._index.passage_at(row)]
        start, end = self._extent(row, passage, before, after)
        rows, values = self._firings(feature, slot, row)
        places = rows - start
        inside = (places >= 0) & (places < end - start)
        activations = np.zeros(end - start, dtype=np.float32)
        activations[places[inside]] = values[inside]
        ids = self._index.tokens[start:end].tolist()
        reach = self._reach_before(before, after)
        earlier = (
            self._text_before(passage, reach - (row - start))
            if start == passage["first_row"]
            else []
        )
        starts, read = self._windows_around(row, start, end)
        if earlier:
            activations = np.concatenate([np.zeros(len(earlier), np.float32), activations])
            read = None if read is None else (read[0] + len(earlier), read[1] + len(earlier))
            starts = tuple(sorted({len(earlier), *(s + len(earlier) for s in starts)}))
            # What an overlapping window repeats stands in the window before it.
            if read is not None:
                read = (max(read[0] - self._repeated(row), 0), read[1])
        found = Context(
            slot=slot,
            bucket=int(a["contexts/bucket"][slot]),
            row=row,
            activation=float(a["contexts/activation"][feature, slot]),
            tokens=[self._index.token(t) for t in [*earlier, *ids]],
            activations=activations,
            peak=row - start + len(earlier),
            starts=starts,
            read=read,
            **self._document(passage),
        )
        if self._pictures is None:
            return found
        return self._pictures.told(found, start, len(earlier))

    def _firings(self, feature: int, slot: int, row: int) -> tuple[Array, Array]:
        """Return the rows around a chosen one on which the feature fires, and how strongly."""
        a = self._index.arrays
        number = feature * a["contexts/row"].shape[1] + slot
        span = slice(int(a["contexts/offsets"][number]), int(a["contexts/offsets"][number + 1]))
        return row + a["contexts/positions"][span].astype(np.int64), a["contexts/values"][span]

    def _document(self, passage: Any) -> _Document:
        document = self._index.documents[passage["document"]]
        return _Document(
            source=decoded(document["source"]),
            language=decoded(document["language"]),
            title=decoded(document["title"]),
            group=decoded(document["group"]),
        )

    def _of_picture(self, feature: int, slot: int, row: int) -> Context:
        assert self._pictures is not None
        picture = self._pictures.context(row, *self._firings(feature, slot, row))
        activation = float(self._index.arrays["contexts/activation"][feature, slot])
        return Context(
            slot=slot,
            bucket=int(self._index.arrays["contexts/bucket"][slot]),
            row=row,
            activation=activation,
            tokens=[picture_token(picture.name)],
            activations=np.array([activation], np.float32),
            peak=0,
            **self._document(self._index.passages[self._index.passage_at(row)]),
            picture=picture,
        )

    @cached_property
    def _pictures(self) -> PicturesInContexts | None:
        pictures = self._index.pictures
        return None if pictures is None else PicturesInContexts(self._index, pictures)

    def _reach_before(self, before: int | None, after: int | None) -> int:
        """Return how many tokens may stand before the chosen one."""
        if before == -1 or after == -1:
            return int(self._index.info.context_tokens * BEFORE)
        reach = self._index.info.context_reach
        return reach if before is None else min(before, reach)

    def _repeated(self, row: int) -> int:
        """Return how many tokens before the first of a row's window it shares with another."""
        windows, before = self._index.array("windows"), self._index.array("read_before")
        if windows is None or before is None:
            return 0
        return int(before[np.searchsorted(windows, row, side="right") - 1])

    def _windows_around(
        self, row: int, start: int, end: int
    ) -> tuple[tuple[int, ...], tuple[int, int] | None]:
        """Return where windows begin among the rows from `start` to `end`, and which of these
        rows the model read together with `row`."""
        windows = self._index.array("windows")
        if windows is None or not len(windows):
            return (), None
        own = int(np.searchsorted(windows, row, side="right")) - 1
        first = int(windows[own])
        last = int(windows[own + 1]) if own + 1 < len(windows) else self._index.info.rows
        low, high = np.searchsorted(windows, [start, end])
        starts = tuple(int(w) - start for w in windows[low:high] if w > start)
        begin = max(first - self._repeated(row), start)
        return starts, (begin - start, min(last, end) - start)

    @cached_property
    def _passage_ends(self) -> tuple[Array, Array]:
        """(P,) keys of document and place after the last token, ascending, and whose they are."""
        passages = self._index.passages
        ends = passages["offset"] + passages["length"]
        keys = passages["document"].astype(np.int64) * _LONGEST_DOCUMENT + ends
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def _text_before(self, passage: Any, count: int) -> list[int]:
        """Return up to `count` tokens of the document before a passage, where the text has them."""
        keys, order = self._passage_ends
        found: list[int] = []
        offset, document = int(passage["offset"]), int(passage["document"])
        while count > len(found) and offset > 0:
            # One token a window may be missing, whose row is not kept.
            places = np.searchsorted(
                keys, document * _LONGEST_DOCUMENT + np.array([offset, offset - 1])
            )
            wanted = document * _LONGEST_DOCUMENT + np.array([offset, offset - 1])
            known = [
                int(order[place])
                for place, key in zip(places, wanted, strict=True)
                if place < len(keys) and keys[place] == key
            ]
            if not known:
                break
            before = self._index.passages[known[0]]
            first, length = int(before["first_row"]), int(before["length"])
            taken = min(length, count - len(found))
            found = self._index.tokens[first + length - taken : first + length].tolist() + found
            if int(before["offset"]) >= offset:
                break
            offset = int(before["offset"])
        return found

    def _extent(
        self, row: int, passage: Any, before: int | None, after: int | None
    ) -> tuple[int, int]:
        """Return the first row to be drawn and one past the last."""
        first = int(passage["first_row"])
        last = first + int(passage["length"])
        if self._pictures is None:
            return self._span(row, first, last, before, after)
        at = self._pictures.places(first, last)
        start, end = self._span(int(at[row - first]), 0, int(at[-1]) + 1, before, after)
        reach = self._index.info.context_reach
        start, end = (first + int(place) for place in np.searchsorted(at, [start, end]))
        return max(start, row - reach), min(end, row + reach + 1)

    def _span(
        self, row: int, first: int, last: int, before: int | None, after: int | None
    ) -> tuple[int, int]:
        if before == -1 or after == -1:
            # The same number of tokens wherever the passage has them.
            tokens = self._index.info.context_tokens
            start = max(first, row - int(tokens * BEFORE))
            start = max(first, min(start, last - tokens))
            return start, min(start + tokens, last)
        reach = self._index.info.context_reach
        start = max(first, row - (reach if before is None else min(before, reach)))
        end = min(last, row + 1 + (reach if after is None else min(after, reach)))
        return start, end
