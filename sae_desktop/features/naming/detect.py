"""How well names tell where features fire: detectors made of their facts, on held-out text.

The detector of a name adds up the lifts of those of its facts that hold at a place, of the rule
that fits best. It is held against places of four kinds in equal parts: the feature is silent on
the same token, in the contexts of its nearest features, near its own firings, and anywhere. Of a
feature of fewer than `LEAST_FIRINGS` held-out firings nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.facts import PLACE, RowFacts
from sae_desktop.features.naming.rules import FACTS_OF_RULE, RULES, Found
from sae_desktop.features.naming.runs import place_in_run, sorted_with
from sae_desktop.features.naming.samples import Places
from sae_desktop.features.reading.held_out import HeldOut

if TYPE_CHECKING:
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

LEAST_FIRINGS = 5
MOST_FIRINGS = 60
_EACH = 20
"""Silent places of each kind for a feature."""
_OFFSETS = 48
_LEVEL_Z = 1.959964
_NEIGHBOURS = 5
_TOKEN = PLACE["token"]


@dataclass(frozen=True)
class Trial:
    """Held-out places of a block's features, those where they fire and silent ones."""

    feature: Array
    fires: Array
    X: Array
    """(m, A) facts."""


class Trials:
    """Draws held-out places to try names on."""

    def __init__(
        self, index: IndexFile, facts: RowFacts, held: HeldOut, rows: Array, seed: int
    ) -> None:
        """`rows`: rows of the text, of which the held-out ones are drawn from."""
        self._index, self._facts, self._held = index, facts, held
        self._rng = np.random.default_rng(seed)
        self._kept = rows[held.rows(rows)]
        tokens = np.asarray(index.tokens[self._kept], np.int64)
        self._tokens, order = sorted_with(tokens, np.arange(len(tokens)), len(tokens))
        self._by_token = self._kept[order]

    def draw(self, places: Places, *, neighbours: bool = True) -> Trial:
        """Return held-out places of a block: firings, and silent ones of each kind.

        `neighbours`: whether the block's features are the index's own, with neighbours there.
        """
        kept = np.flatnonzero(self._held.rows(places.rows))
        order = kept[np.lexsort((self._rng.random(len(kept)), places.feature[kept]))]
        order = order[place_in_run(places.feature[order]) < MOST_FIRINGS]
        feature, rows = places.feature[order], places.rows[order]
        enough = np.bincount(feature, minlength=places.count) >= LEAST_FIRINGS
        feature, rows = feature[enough[feature]], rows[enough[feature]]
        silent = [
            self._same_token(places, feature, rows),
            *([self._of_neighbours(places, enough)] if neighbours else []),
            self._near(places, feature, rows),
            self._anywhere(places, enough),
        ]
        features = np.concatenate([feature, *(f for f, _ in silent)])
        all_rows = np.concatenate([rows, *(r for _, r in silent)])
        fires = np.arange(len(features)) < len(feature)
        return Trial(features, fires, self._facts.of(all_rows))

    def _same_token(self, places: Places, feature: Array, rows: Array) -> tuple[Array, Array]:
        """Return silent places of tokens that the feature fires on elsewhere."""
        if not places.known_all:
            return self._near(places, feature, rows, same=True)
        if not len(self._tokens) or not len(rows):
            return feature[:0], rows[:0]
        token = np.asarray(self._index.tokens[rows], np.int64)
        low, high = (np.searchsorted(self._tokens, token, side) for side in ("left", "right"))
        tries = np.repeat(np.arange(len(rows)), 3)
        tries = tries[(high > low)[tries]]
        at = low[tries] + (self._rng.random(len(tries)) * (high - low)[tries]).astype(np.int64)
        return self._silent(places, feature[tries], self._by_token[at])

    def _near(
        self, places: Places, feature: Array, rows: Array, same: bool = False
    ) -> tuple[Array, Array]:
        """Return silent places near firings; `same`: those of a token the feature fires on."""
        if not len(rows):
            return feature[:0], rows[:0]
        count = 2 * _OFFSETS + 1 if same else 4
        wanted = np.repeat(np.arange(len(rows)), count)
        if same:
            offset = np.tile(np.arange(-_OFFSETS, _OFFSETS + 1), len(rows))
        else:
            offset = self._rng.integers(-_OFFSETS, _OFFSETS + 1, len(wanted))
        found = rows[wanted] + offset
        text = len(self._index.tokens)
        inside = (found >= 0) & (found < min(places.text_rows, text))
        wanted, found = wanted[inside], found[inside]
        together = self._passage(found) == self._passage(rows[wanted])
        wanted, found = wanted[together], found[together]
        own = feature[wanted]
        if same:
            tokens = np.asarray(self._index.tokens[rows], np.int64)
            fired = np.unique(feature * _CODES + tokens)
            keys = own * _CODES + np.asarray(self._index.tokens[found], np.int64)
            at = np.minimum(np.searchsorted(fired, keys), len(fired) - 1)
            kept = fired[at] == keys
            own, found = own[kept], found[kept]
        return self._silent(places, own, found)

    def _of_neighbours(self, places: Places, enough: Array) -> tuple[Array, Array]:
        """Return silent places in the contexts of the nearest features."""
        ids = self._index.array("neighbours/ids")
        nothing = np.empty(0, np.int64)
        if ids is None or not ids.shape[1]:
            return nothing, nothing
        near = np.asarray(ids[places.first : places.first + places.count], np.int64)
        near = near[:, :_NEIGHBOURS]
        rows = np.asarray(self._index.arrays["contexts/row"])[np.maximum(near, 0)]
        feature = np.broadcast_to(np.arange(places.count)[:, None, None], rows.shape)
        there = (rows >= 0) & (near >= 0)[:, :, None] & enough[:, None, None]
        return self._silent(places, feature[there], np.asarray(rows[there], np.int64))

    def _anywhere(self, places: Places, enough: Array) -> tuple[Array, Array]:
        if not len(self._kept):
            return self._kept[:0], self._kept[:0]
        feature = np.repeat(np.flatnonzero(enough), 2 * _EACH)
        rows = self._kept[self._rng.integers(0, len(self._kept), len(feature))]
        return self._silent(places, feature, rows)

    def _silent(self, places: Places, feature: Array, rows: Array) -> tuple[Array, Array]:
        """Return those held-out places on which the feature is not known to fire, a few each."""
        kept = self._held.rows(rows)
        keys = np.unique(feature[kept].astype(np.int64) * places.text_rows + rows[kept])
        keys = keys[~places.known(keys)]
        feature, rows = keys // places.text_rows, keys % places.text_rows
        order = np.lexsort((self._rng.random(len(keys)), feature))
        order = order[place_in_run(feature[order]) < _EACH]
        return feature[order], rows[order]

    def _passage(self, rows: Array) -> Array:
        first = self._index.passages["first_row"]
        return np.asarray(np.searchsorted(first, rows, side="right"))


_CODES = np.int64(1) << 31


def detected(found: Found, X: Array, feature: Array) -> Array:
    """Return (n,) how far the names of features (n,) fit places."""
    n = np.arange(len(X))
    weights = np.log2(np.maximum(found.low, 1.0)).clip(0.3, 8.0) * (found.kind >= 0)
    best = np.zeros(len(X))
    for rule in range(RULES):
        total = np.zeros(len(X))
        holds = np.ones(len(X), bool)
        for place in range(FACTS_OF_RULE):
            kind = found.kind[feature, rule, place]
            hit = (kind >= 0) & (X[n, np.maximum(kind, 0)] == found.code[feature, rule, place])
            holds &= hit if place == 0 else True
            # What tells only together with the first fact tells less without it.
            part = np.where(holds, 1.0, 0.25)
            total += weights[feature, rule, place] * hit * part
        best = np.maximum(best, total)
    kind = found.text_kind[feature]
    hit = (kind >= 0) & (X[n, np.maximum(kind, 0)] == found.text_code[feature])
    text = np.log2(np.maximum(found.text_low, 1.0)).clip(0.3, 8.0)[feature]
    return np.asarray(best + np.where(hit, text, 0.0))


def areas(scores: Array, trial: Trial, count: int) -> tuple[Array, Array, Array]:
    """Return each feature's AUROC (count,), ties counting half, and its numbers of firings and
    silent places; NaN without either."""
    feature, fires = trial.feature, trial.fires
    m = np.bincount(feature[fires], minlength=count)
    n = np.bincount(feature[~fires], minlength=count)
    order = np.lexsort((scores, feature))
    feature, fires, scores = feature[order], fires[order], scores[order]
    new = np.ones(len(order), bool)
    new[1:] = (feature[1:] != feature[:-1]) | (scores[1:] != scores[:-1])
    tie = np.cumsum(new) - 1
    silent = np.concatenate([[0], np.cumsum(~fires)])
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(order))
    below = silent[starts] - np.concatenate([[0], np.cumsum(n)])[feature[starts]]
    equal = silent[ends] - silent[starts]
    wins = (below + equal / 2)[tie]
    total = np.bincount(feature[fires], wins[fires], count)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = total / (m * n)
    return np.where((m >= LEAST_FIRINGS) & (n >= LEAST_FIRINGS), area, np.nan), m, n


def intervals(area: Array, m: Array, n: Array) -> tuple[Array, Array]:
    """Return the ends of the 95% score interval of areas (Newcombe 2006, method 5)."""
    more = (m + n) / 2 - 1

    def outside(p: Array) -> Array:
        spread = p * (1 - p) * (1 + more * ((1 - p) / (2 - p) + p / (1 + p)))
        beyond = (p - area) ** 2 > _LEVEL_Z**2 * spread / np.maximum(m * n, 1)
        return np.asarray(beyond)

    ends = []
    for limit in (0.0, 1.0):
        within, beyond = area.copy(), np.full_like(area, limit)
        for _ in range(30):
            between = (within + beyond) / 2
            out = outside(between)
            within, beyond = np.where(out, within, between), np.where(out, between, beyond)
        ends.append(np.where(np.isnan(area), np.nan, within))
    return ends[0], ends[1]


def token_scores(trial: Trial, tokens: Array) -> Array:
    """Return 1 where a place's token is the one given for its feature, 0 elsewhere."""
    return np.where(trial.X[:, _TOKEN] == tokens[trial.feature], 1.0, 0.0)


def shuffled_features(count: int, seed: int) -> Array:
    """Return another feature (count,) for each."""
    order = np.random.default_rng(seed).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, 1)
    return found
