"""The rows of an index's text: what is held out, what is shown around one, where a token stands.

Free of torch. k rows, V tokens.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

BEFORE = 0.75
"""Of an example's tokens, the share before its marked one."""
LEAST_SILENT = 8
"""Tokens that a silent example has at least."""
_MOST_ROWS = 1 << 24
"""Rows among which the same token is looked for."""


class Shown(NamedTuple):
    """Stretches of text around marked rows (k,)."""

    rows: Array
    first: Array
    last: Array


class RowText:
    """The rows of an index: what is held out, what is shown around one, where a token stands."""

    def __init__(self, index: FeatureIndex) -> None:
        self._passages = np.array(index.passages)
        self.tokens = index.tokens
        self._picture = index.array("picture")
        self.rows = index.info.rows
        self._width = max(index.info.context_tokens, LEAST_SILENT)
        self._held = held_out(index)
        windows = index.array("windows")
        starts = self._passages["first_row"] if windows is None or not len(windows) else windows
        self._windows = np.array(starts, np.int64)
        self.occurrences = np.bincount(
            np.clip(self.tokens[: self.rows], 0, None), minlength=index.vocabulary_size
        )

    def passage_of(self, rows: Array) -> Array:
        return np.asarray(np.searchsorted(self._passages["first_row"], rows, side="right") - 1)

    def document_of(self, rows: Array) -> Array:
        return np.asarray(self._passages["document"][self.passage_of(rows)])

    def window_of(self, rows: Array) -> Array:
        return np.asarray(np.searchsorted(self._windows, rows, side="right") - 1)

    def on_side(self, rows: Array, kept: bool) -> Array:
        """Return a mask (k,) of the rows of text that are held out, or of those that are not."""
        found = np.asarray(self._held.rows(rows) == kept)
        return found if self._picture is None else found & (self._picture[rows] < 0)

    def shown(self, rows: Array) -> Shown:
        """Return what is shown around rows: what the model read together with them."""
        passage = self._passages[self.passage_of(rows)]
        window = self.window_of(rows)
        ends = np.append(self._windows, self.rows)[1:]
        first = np.maximum(passage["first_row"], self._windows[np.maximum(window, 0)])
        last = np.minimum(passage["first_row"] + passage["length"], ends[np.maximum(window, 0)])
        start = np.maximum(first, rows - int(self._width * BEFORE))
        start = np.maximum(first, np.minimum(start, last - self._width))
        return Shown(rows, start, np.minimum(start + self._width, last))

    def rows_of_token(self, token: int) -> Array:
        order, starts = self._by_token
        return np.asarray(order[starts[token] : starts[token + 1]])

    @cached_property
    def _by_token(self) -> tuple[Array, Array]:
        tokens = np.clip(self.tokens[: min(self.rows, _MOST_ROWS)], 0, None)
        order = np.argsort(tokens, kind="stable").astype(np.int32)
        counts = np.bincount(tokens, minlength=len(self.occurrences))
        return order, np.concatenate([[0], np.cumsum(counts)])
