"""How often facts hold in the text at large: what they are compared with.

M rows drawn from the text names are made from, with their facts.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.facts import COUNT, RowFacts
from sae_desktop.features.reading.held_out import HeldOut

Array = npt.NDArray[Any]

MOST_ROWS = 160_000
_WHERE = 192
"""Rows in which a fact is looked for where others hold."""


class Base:
    """Counts of facts over rows of the text."""

    def __init__(self, facts: RowFacts, rows: Array) -> None:
        self.rows = rows
        self.X = facts.of(rows)
        self._sorted = [np.sort(self.X[:, kind]) for kind in range(COUNT)]

    def shares(self, kind: Array, code: Array) -> Array:
        """Return the share (k,) of the rows in which facts hold."""
        counts = np.zeros(len(kind), np.int64)
        for number in np.unique(kind).tolist():
            some = kind == number
            values = self._sorted[number]
            ends = [np.searchsorted(values, code[some], side) for side in ("left", "right")]
            counts[some] = ends[1] - ends[0]
        return np.asarray((counts + 0.5) / (len(self.rows) + 1))

    @cached_property
    def _orders(self) -> dict[int, Array]:
        return {}

    def _rows_with(self, kind: int, code: Array) -> tuple[Array, Array, Array]:
        """Return the rows sorted by a kind of fact, and where those with codes (k,) begin, end."""
        if kind not in self._orders:
            self._orders[kind] = np.argsort(self.X[:, kind], kind="stable").astype(np.int32)
        values = self._sorted[kind]
        low, high = (np.searchsorted(values, code, side) for side in ("left", "right"))
        return self._orders[kind], low, high

    def shares_where(
        self, kinds: Array, codes: Array, feature: Array, kind: Array, code: Array
    ) -> Array:
        """Return the share (k,) of the rows in which facts hold, of those where others do.

        kinds, codes (features, p): facts of each feature that hold; `feature` (k,) says which
        feature's are asked for, `kind` and `code` (k,) the fact in question. A rule that holds
        nowhere in the sample gives the plain share.
        """
        asked, at = np.unique(feature, return_inverse=True)
        sample = np.full((len(asked), _WHERE), -1, np.int64)
        for number in np.unique(kinds[asked, 0]).tolist():
            if number < 0:
                continue
            some = np.flatnonzero(kinds[asked, 0] == number)
            order, low, high = self._rows_with(number, codes[asked[some], 0])
            size = high - low
            step = np.maximum(size / _WHERE, 1.0)
            places = (np.arange(_WHERE) * step[:, None]).astype(np.int64)
            there = places < size[:, None]
            index = np.minimum(low[:, None] + places, len(order) - 1)
            sample[some] = np.where(there, order[index], -1)
        for place in range(1, kinds.shape[1]):
            more, wanted = kinds[asked, place], codes[asked, place]
            has = self.X[np.maximum(sample, 0), np.maximum(more, 0)[:, None]] == wanted[:, None]
            sample = np.where((more < 0)[:, None] | has, sample, -1)
        rows = sample[at]
        there = rows >= 0
        total = there.sum(axis=1)
        hits = (self.X[np.maximum(rows, 0), kind[:, None]] == code[:, None]) & there
        plain = self.shares(kind, code)
        prior = 2.0
        return np.asarray((hits.sum(axis=1) + prior * plain) / (total + prior))


def base_of(facts: RowFacts, held: HeldOut, rows: int, seed: int) -> Base:
    """Return the counts over rows drawn from the text that names are made from."""
    rng = np.random.default_rng(seed)
    wanted = min(rows, 2 * MOST_ROWS)
    drawn = np.sort(rng.choice(rows, wanted, replace=False)) if wanted < rows else np.arange(rows)
    made = drawn[~held.rows(drawn)]
    if not len(made):
        made = drawn
    step = max(-(-len(made) // MOST_ROWS), 1)
    return Base(facts, made[::step])
