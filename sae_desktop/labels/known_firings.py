"""Where a feature of an index is known to fire, and where it is known to be silent. Free of torch.

An index with its firings knows every row. One without them (another person's, one made small)
knows the rows around the feature's kept contexts; elsewhere the counts it holds tell how likely
the feature fires, by the token and by the document's language.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]


class KnownFirings:
    """The firings of one feature that are known, n of them, and the rows that are known."""

    def __init__(
        self, rows: Array, values: Array, spans: Array | None, *, fair: bool = False
    ) -> None:
        """rows (n,) ascending, values (n,); spans (s, 2) ascending and apart; None: every row."""
        self.rows, self.values = rows, values
        self._spans = spans
        self.fair = fair or spans is None
        """Whether what is known is a fair sample of the text."""

    @property
    def complete(self) -> bool:
        """Whether every row is known."""
        return self._spans is None

    def covers(self, first: Array, last: Array) -> Array:
        """Return a mask (k,) of the stretches first…last−1 of which every row is known."""
        if self._spans is None:
            return np.ones(len(first), bool)
        if not len(self._spans):
            return np.zeros(len(first), bool)
        place = np.searchsorted(self._spans[:, 0], first, side="right") - 1
        inside = self._spans[np.maximum(place, 0)]
        return (place >= 0) & (last <= inside[:, 1])

    def joined(self, other: KnownFirings) -> KnownFirings:
        """Return what either knows; where both do, as the other has it."""
        if self._spans is None or other._spans is None:
            return self if self._spans is None else other
        rows, place = np.unique(np.concatenate([other.rows, self.rows]), return_index=True)
        values = np.concatenate([other.values, self.values])[place]
        spans = np.concatenate([self._spans, other._spans])
        spans = joined_spans(spans[np.argsort(spans[:, 0], kind="stable")])
        return KnownFirings(rows, values, spans, fair=self.fair or other.fair)

    def fires(self, rows: Array) -> Array:
        """Return a mask (k,) of the rows on which it is known to fire."""
        place = np.searchsorted(self.rows, rows)
        there = place < len(self.rows)
        found = np.zeros(len(rows), bool)
        found[there] = self.rows[place[there]] == rows[there]
        return found

    def silence(self, rows: Array) -> tuple[Array, Array]:
        """Return around each row (k,) the last firing before it and the first one after it.

        −1 and a number beyond every row where there is none.
        """
        place = np.searchsorted(self.rows, rows)
        ends = np.concatenate([[-1], self.rows, [np.iinfo(np.int64).max]])
        return ends[place], ends[place + 1]

    def activations(self, first: int, last: int) -> Array:
        """Return the activations (last − first,) float32 of a stretch; unknown rows count as 0."""
        low, high = np.searchsorted(self.rows, [first, last])
        found = np.zeros(last - first, np.float32)
        found[self.rows[low:high] - first] = self.values[low:high]
        return found


def known_firings(index: FeatureIndex, feature: int, firings: StoredFirings | None) -> KnownFirings:
    """Return what is known of a feature. Raises UserError for damaged firings."""
    if firings is not None:
        block, _ = firings.block(feature, feature + 1)
        return KnownFirings(block.rows, block.values, None)
    chosen = index.arrays["contexts/row"][feature]
    slots = np.flatnonzero(chosen >= 0)
    offsets = index.arrays["contexts/offsets"]
    first = feature * len(chosen)
    rows, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for slot in slots.tolist():
        span = slice(int(offsets[first + slot]), int(offsets[first + slot + 1]))
        rows.append(int(chosen[slot]) + index.arrays["contexts/positions"][span].astype(np.int64))
        values.append(index.arrays["contexts/values"][span].astype(np.float32))
    # The chosen rows themselves, for an index that keeps nothing around them.
    rows.append(chosen[slots].astype(np.int64))
    values.append(index.arrays["contexts/activation"][feature][slots].astype(np.float32))
    together, place = np.unique(np.concatenate(rows), return_index=True)
    return KnownFirings(
        together, np.concatenate(values)[place], _around(index, np.sort(chosen[slots]))
    )


def _around(index: FeatureIndex, chosen: Array) -> Array:
    """Return the stretches (s, 2) around chosen rows whose firings an index keeps."""
    found = index.kept_around(chosen)
    return joined_spans(found[np.argsort(found[:, 0], kind="stable")])


def joined_spans(spans: Array) -> Array:
    """Return stretches (s, 2), ascending by their beginnings, with those that meet as one."""
    if not len(spans):
        return np.empty((0, 2), np.int64)
    first, last = spans[:, 0], np.maximum.accumulate(spans[:, 1])
    begins = np.concatenate([[True], first[1:] > last[:-1]])
    ends = np.concatenate([begins[1:], [True]])
    return np.stack([first[begins], last[ends]], axis=1)


class Chances:
    """How likely a feature fires on a row of which no more is known than its token and document."""

    def __init__(self, index: FeatureIndex, feature: int, occurrences: Array) -> None:
        """occurrences (V,): how often each token stands in the text."""
        self._index = index
        ids, counts = index.array("firing_tokens/ids"), index.array("firing_tokens/counts")
        self._of_token = np.zeros(len(occurrences) + 1, np.float32)
        total = float(index.columns["density"][feature]) * index.info.rows
        listed, rows = 0.0, float(index.info.rows)
        if ids is not None and counts is not None:
            inside = (ids[feature] >= 0) & (ids[feature] < len(occurrences))
            known, number = ids[feature][inside], counts[feature][inside].astype(np.float64)
            seen = np.maximum(occurrences[known], 1)
            self._of_token[known] = np.minimum(number / seen, 1.0)
            listed, rows = float(number.sum()), rows - float(seen.sum())
        self._rest = max(total - listed, 0.0) / max(rows, 1.0)
        self._of_language = self._ratios(feature)

    def of_tokens(self, tokens: Array) -> Array:
        """Return the share (k,) of each token's occurrences on which it fires; 0: seldom."""
        return np.asarray(self._of_token[np.clip(tokens, -1, len(self._of_token) - 2)])

    def elsewhere(self, documents: Array) -> Array:
        """Return the share (k,) of the other rows of documents on which it fires, about."""
        if self._of_language is None:
            return np.full(len(documents), self._rest)
        names = self._index.documents["language"][documents]
        ratio = [self._of_language.get(name.decode("utf-8", "replace"), 1.0) for name in names]
        return self._rest * np.asarray(ratio)

    def _ratios(self, feature: int) -> dict[str, float] | None:
        counts, tokens = (
            self._index.array("languages/counts"),
            self._index.array("languages/tokens"),
        )
        density = float(self._index.columns["density"][feature])
        if counts is None or tokens is None or not density > 0:
            return None
        rates = counts[feature] / np.maximum(tokens, 1) / density
        return dict(zip(self._index.info.languages, rates.tolist(), strict=True))
