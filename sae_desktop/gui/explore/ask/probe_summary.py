"""What a probe's answer says, as arrays: of a feature, of a token, of a stretch. Free of Qt.

T tokens of the text, n activations reported of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sae_desktop.features.config import ProbeResult, Ranking
from sae_desktop.words.running_text import shown_token

Array = npt.NDArray[Any]
Measure = Literal["excess"] | Ranking
"""By what features are ranked. excess: how much more there is of one than there usually is."""

PAGE_TOKENS = 2_000
"""Tokens of a text shown at once."""
_PRIOR = 0.1
"""Full firings added to what there is and to what is usual: a rare feature that fires once does
not pass one that runs through the text."""


def usual_shares(columns: Mapping[str, Array]) -> Array:
    """Return (F,): the share of its maximum that each feature has on a token, on the mean.

    `columns` are an index's.
    """
    names = ("density", "mean_activation", "max_activation")
    density, mean, most = (np.asarray(columns[name], np.float32) for name in names)
    return density * np.divide(mean, most, out=np.zeros_like(mean), where=most > 0)


@dataclass(frozen=True)
class MatrixRow:
    """What one feature does on the tokens of a stretch, ascending."""

    feature: int
    positions: Array
    """Counted from the beginning of the text."""
    values: Array
    """By the measure that ranks."""


class MatrixRows:
    """The features of a stretch of tokens, best rank first, with their cells."""

    def __init__(self, features: Array, offsets: Array, positions: Array, values: Array) -> None:
        self.features = features
        """(r,)"""
        self.peaks = (
            np.maximum.reduceat(np.abs(values), offsets[:-1]) if len(features) else values[:0]
        )
        """(r,), the largest absolute value of each."""
        self._offsets, self._positions, self._values = offsets, positions, values

    def __len__(self) -> int:
        return len(self.features)

    def row(self, number: int) -> MatrixRow:
        span = slice(int(self._offsets[number]), int(self._offsets[number + 1]))
        return MatrixRow(int(self.features[number]), self._positions[span], self._values[span])

    def reordered(self, order: Array) -> MatrixRows:
        """Return the same rows in another order."""
        lengths = np.diff(self._offsets)[order]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shift = np.repeat(self._offsets[:-1][order] - offsets[:-1], lengths)
        places = np.arange(offsets[-1]) + shift
        return MatrixRows(
            self.features[order], offsets, self._positions[places], self._values[places]
        )


class ProbeTable:
    """A probe's answer with its arrays."""

    def __init__(
        self, result: ProbeResult, maxima: Array | None = None, usual: Array | None = None
    ) -> None:
        """Take an answer, and the file it came in off the disk.

        `maxima` (F,) are the index's; so is `usual` (F,): share of its maximum that a feature has
        on a token, on the mean.

        Raises OSError or ValueError when the file is gone or cut short.
        """
        self.tokens = result.tokens
        self.pictures = result.pictures
        count = len(result.tokens)
        self.picture = np.array(result.picture or [-1] * count, np.int64)
        """(T,): the picture a token is of; −1 of text."""
        self.picture_token = np.array(result.picture_token or [-1] * count, np.int64)
        self.difference = result.difference
        arrays = _read_file(result.file) if result.file else None
        self.offsets = _array(arrays, result, "offsets", np.int64)
        self.features = _array(arrays, result, "features", np.int64)
        self.activations = _array(arrays, result, "activations", np.float32)
        self.attributions = _array(arrays, result, "attributions", np.float32)
        self.positions = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        self._maxima, self._usual = maxima, usual

    def short_name(self, token: int) -> str:
        """Return what a column is called: the token’s text, or of a patch its row and column."""
        picture = int(self.picture[token])
        if picture < 0:
            return shown_token(self.tokens[token])
        place = self.pictures[picture].layout.place(int(self.picture_token[token]))
        return "·" if place.tile < 0 else f"{place.row + 1}, {place.column + 1}"

    def position_of(self, picture: int, token: int) -> int:
        """Return where the token of a picture stands in the whole."""
        return int(np.flatnonzero((self.picture == picture) & (self.picture_token == token))[0])

    def of_picture(self, picture: int, feature: int | None) -> Array:
        """Return a feature’s activation on each token of a picture, float32."""
        here = self.picture == picture
        found = np.zeros(int(here.sum()), np.float32)
        if feature is not None:
            found[self.picture_token[here]] = self.activations_of(feature)[here]
        return found

    def part(self, tokens: Sequence[int]) -> ProbeTable:
        """Return the same of some tokens alone, ascending, as if they were a text."""
        chosen = np.array(sorted(tokens), np.int64)
        kept = np.isin(self.positions, chosen)
        found = copy(self)
        found.tokens = [self.tokens[token] for token in chosen]
        found.picture, found.picture_token = self.picture[chosen], self.picture_token[chosen]
        found.features, found.activations = self.features[kept], self.activations[kept]
        if len(self.attributions):
            found.attributions = self.attributions[kept]
        found.positions = np.searchsorted(chosen, self.positions[kept])
        counts = np.bincount(found.positions, minlength=len(chosen))
        found.offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return found

    def values(self, measure: Measure) -> Array:
        """Return (n,), all activations by a measure."""
        if measure == "attribution" and len(self.attributions):
            return self.attributions
        if measure in ("share", "excess") and self._maxima is not None:
            top = self._maxima[self.features]
            top = np.where(top > 0, top, self.activations)
            return np.asarray(self.activations / np.maximum(top, 1e-20))
        return self.activations

    def activations_of(self, feature: int, first: int = 0, last: int | None = None) -> Array:
        """Return a feature's activation on each token of a stretch, float32."""
        last = len(self.tokens) if last is None else min(last, len(self.tokens))
        span = self._span(first, last)
        found = np.zeros(last - first, dtype=np.float32)
        here = self.features[span] == feature
        found[self.positions[span][here] - first] = self.activations[span][here]
        return found

    def rows(self, measure: Measure, first: int, last: int) -> MatrixRows:
        """Return the features of the tokens first … last − 1, by their largest |value| there.

        By excess: by how much more there is of them than usual, over all of these tokens.
        """
        span = self._span(first, last)
        positions, values = self.positions[span], self.values(measure)[span]
        order = np.lexsort((positions, self.features[span]))
        features, starts = np.unique(self.features[span][order], return_index=True)
        offsets = np.concatenate([starts, [len(order)]]).astype(np.int64)
        rows = MatrixRows(features, offsets, positions[order], values[order])
        ranks = rows.peaks
        if measure == "excess":
            ranks = self._excess(features, first, last)
        return rows.reordered(np.argsort(-ranks, kind="stable"))

    def rows_at(self, measure: Measure, first: int, last: int, token: int) -> MatrixRows:
        """Return of the same those that are active at one token, by their |value| there."""
        rows = self.rows(measure, first, last)
        span = self._span(token, token + 1)
        here = np.full(int(rows.features.max(initial=-1)) + 1, -1.0)
        here[self.features[span]] = np.abs(self.values(measure)[span])
        there = here[rows.features]
        order = np.argsort(-there, kind="stable")
        return rows.reordered(order[there[order] >= 0])

    def peaks(self, measure: Measure, features: Array, first: int, last: int) -> Array:
        """Return (r,), of each feature the value of largest size on tokens first … last − 1."""
        span = self._span(first, last)
        values, here = self.values(measure)[span], self.features[span]
        found = np.zeros(int(max(features.max(initial=0), here.max(initial=0))) + 1, np.float32)
        order = np.argsort(np.abs(values), kind="stable")
        found[here[order]] = values[order]  # of several values of a feature the last one stays
        return found[features]

    def times_usual(self, features: Array, first: int, last: int) -> Array:
        """Return (r,): how many times as much there is of features as in other text.

        Of a feature that never fired on the indexed text there is infinitely much.
        """
        there, usual = self._amounts(features, first, last)
        return np.divide(there, usual, out=np.full(len(there), np.inf), where=usual > 0)

    def _excess(self, features: Array, first: int, last: int) -> Array:
        """Return (r,): what there is of features × the logarithm of its ratio to what is usual."""
        there, usual = self._amounts(features, first, last)
        return there * np.log((there + _PRIOR) / (usual + _PRIOR))

    def _amounts(self, features: Array, first: int, last: int) -> tuple[Array, Array]:
        """Return the shares of their maxima, summed over a stretch: there, and what is usual."""
        span = self._span(first, last)
        shares = self.values("share")[span]
        sums = np.bincount(self.features[span], shares, minlength=int(features.max(initial=0)) + 1)
        usual = np.zeros(len(features)) if self._usual is None else self._usual[features]
        return sums[features], np.asarray(usual, np.float64) * (last - first)

    def _span(self, first: int, last: int) -> slice:
        if not len(self.positions):
            return slice(0, 0)
        return slice(int(self.offsets[first]), int(self.offsets[last]))


def _read_file(name: str) -> dict[str, Array]:
    path = Path(name)
    try:
        with np.load(path) as file:
            return {key: file[key] for key in file.files}
    finally:
        with suppress(OSError):
            path.unlink()


def _array(arrays: dict[str, Array] | None, result: ProbeResult, name: str, dtype: Any) -> Array:
    found = getattr(result, name) if arrays is None else arrays[name]
    return np.asarray(found, dtype=dtype)
