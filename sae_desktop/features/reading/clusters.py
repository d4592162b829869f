"""What features that lie together on the map share. Free of torch and Qt.

A fact is something a feature may have: a word of its label, the language or the source of most of
its activation, a token or a kind of tokens that its strongest firings are on, a token that it
raises. Of the n features of a group that are looked at, k have a fact; of those of the index that
they are compared with, the share p. A group is said to have the fact where k is at least `LEAST`
and at least `LEAST_SHARE` of n, where the share in the group is at least `LEAST_LIFT` times p even
at the lower end of its 95% interval, and where a group of n features drawn at random would reach
as many for any of the facts that are tried with a probability of at most `MOST_CHANCE`.

The work is bounded: at most `MOST_MEMBERS` of a group and `MOST_COMPARED` features of the whole
index are read, evenly spaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.token_kinds import TOKEN_KINDS, kinds_of, label_words, token_key

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]
LabelReader = Callable[[Iterable[int]], Mapping[int, str]]
FactKind = Literal["label", "language", "token", "raised", "tokens", "raised_tokens", "source"]
"""label: a word of labels; token: one the strongest firings are on; raised: one whose logit is
raised; tokens and raised_tokens: the same of kinds of tokens."""

LEAST = 4
"""Fewer features that share something make no name."""
LEAST_SHARE = 0.25
LEAST_LIFT = 1.5
MOST_CHANCE = 0.05
MOST_MEMBERS = 200
MOST_COMPARED = 50_000
_OF_FIRINGS, _OF_KINDS = 0.25, 0.6
"""Of a feature's strongest firings: what a token, or a kind of tokens, must have to be a fact."""
_OF_AN_AREA = 70
_AREAS = (4, 40)


@dataclass(frozen=True)
class SharedFact:
    """What features of a group share."""

    kind: FactKind
    value: str
    members: int
    """Of the features looked at, those that have it."""
    share: float
    """The same as a share."""
    elsewhere: float
    """Share of the features it is compared with."""
    lift: float
    """The lower end of the 95% interval of how many times as frequent it is in the group."""


@dataclass(frozen=True)
class Region:
    """Features that lie together: a cluster of the map, or a wider area of it."""

    number: int
    """Of the cluster, or of the area."""
    features: int
    x: float
    y: float
    """The median of their places."""
    facts: tuple[SharedFact, ...]
    """By kind in the order of `FactKind`, the most telling of a kind first; empty: nothing that
    chance would not give."""


@dataclass(frozen=True)
class Regions:
    """The map in two sizes."""

    clusters: tuple[Region, ...] = ()
    """The largest first."""
    areas: tuple[Region, ...] = ()
    """Parts of the whole map of about the same width, named where it is seen from afar."""
    centres: Array | None = None
    """(areas, 2): a feature is in the area whose centre is nearest."""

    def members(self, index: FeatureIndex, region: Region) -> Array:
        """Return the features of a cluster or an area, ascending."""
        if region in self.clusters or self.centres is None:
            return np.flatnonzero(np.asarray(index.columns["cluster"]) == region.number)
        placed, places = _places(index)
        return np.asarray(placed[_nearest(places, self.centres) == region.number])


def regions(index: FeatureIndex, labels: LabelReader | None = None) -> Regions:
    """Return the clusters and areas of an index's map; none of an index without a map.

    `labels` gives those of features that have one.
    """
    if "cluster" not in index.columns or "map_x" not in index.columns:
        return Regions()
    of = np.asarray(index.columns["cluster"])
    order = np.argsort(of, kind="stable")[(of < 0).sum() :]
    numbers, starts = np.unique(of[order], return_index=True)
    clusters = np.split(np.sort(order) if len(numbers) < 2 else order, starts[1:])
    placed, places = _places(index)
    seen = _evenly(np.arange(len(placed)), MOST_COMPARED)
    centres = _centres(places[seen])
    area = _nearest(places[seen], centres)
    areas = [placed[seen[area == number]] for number in range(len(centres))]
    groups = [*(clusters if len(numbers) else ()), *areas]
    found = shared_facts(index, groups, labels)
    scale = len(placed) / max(len(seen), 1)
    made = [
        _region(index, int(number), len(some), some, facts)
        for number, some, facts in zip(numbers, groups, found, strict=False)
    ]
    wide = [
        _region(index, number, round(len(some) * scale), some, facts)
        for number, (some, facts) in enumerate(zip(areas, found[len(numbers) :], strict=True))
        if len(some)
    ]
    return Regions(_by_size(made), _by_size(wide), centres)


def _region(
    index: FeatureIndex, number: int, size: int, some: Array, facts: tuple[SharedFact, ...]
) -> Region:
    x, y = (float(np.median(index.columns[name][some])) for name in ("map_x", "map_y"))
    return Region(number, size, x, y, facts)


def _by_size(found: list[Region]) -> tuple[Region, ...]:
    return tuple(sorted(found, key=lambda region: (-region.features, region.number)))


def _places(index: FeatureIndex) -> tuple[Array, Array]:
    """Return the features that have a place, and their places (n, 2)."""
    places = np.stack([index.columns["map_x"], index.columns["map_y"]], axis=1)
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    return placed, places[placed].astype(np.float64)


def _centres(places: Array) -> Array:
    """Return the middles (k, 2) of areas of about the same width; the same for the same places."""
    from scipy.cluster.vq import kmeans2  # slow to import

    count = min(max(len(places) // _OF_AN_AREA, _AREAS[0]), _AREAS[1])
    if len(places) < count:
        return places[:0]
    centres, _ = kmeans2(_evenly(places, MOST_COMPARED // 5), count, minit="++", seed=0)
    return np.asarray(centres)


def _nearest(places: Array, centres: Array) -> Array:
    """Return (n,) which centre is nearest to each place; of no centres, −1."""
    if not len(centres):
        return np.full(len(places), -1)
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(centres).query(places)[1])


def shared_facts(
    index: FeatureIndex, groups: Sequence[Array], labels: LabelReader | None = None
) -> list[tuple[SharedFact, ...]]:
    """Return of each group of features what its members share (see the module)."""
    placed = np.flatnonzero(np.isfinite(index.columns["map_x"]))
    looked_at = [_evenly(group, MOST_MEMBERS) for group in groups]
    compared = _evenly(placed, MOST_COMPARED)
    features = np.unique(np.concatenate([compared, *looked_at])).astype(np.int64)
    base = np.isin(features, compared)
    group_rows = [np.searchsorted(features, group) for group in looked_at]
    tables = _tables(index, features, labels(features.tolist()) if labels else {})
    compared_with = [table.base(base) for table in tables]
    tried = sum(int((counts >= LEAST).sum()) for counts, _ in compared_with)
    return [
        tuple(
            fact
            for table, base_counts in zip(tables, compared_with, strict=True)
            for fact in table.shared(rows, base_counts, tried)
        )
        for rows in group_rows
    ]


def _evenly(features: Array, most: int) -> Array:
    step = max(-(-len(features) // most), 1)
    return features[::step]


@dataclass(frozen=True)
class _Facts:
    """Facts of one kind: pairs of a row (a feature that is read) and a fact of it."""

    kind: FactKind
    names: Sequence[str]
    rows: Array
    """(p,) ascending."""
    facts: Array
    """(p,), places in `names`."""
    known: Array
    """(features,), whether anything of this kind is known of the feature."""

    def base(self, base: Array) -> tuple[Array, int]:
        """Return how many of the features compared with have each fact, and of how many."""
        counts = np.bincount(self.facts[base[self.rows]], minlength=len(self.names))
        return counts, int((base & self.known).sum())

    def shared(self, group: Array, base: tuple[Array, int], tried: int) -> list[SharedFact]:
        """Return what the rows of a group share, the most telling first.

        `base` is what `base` returned; `tried`: of how many facts this one is the best.
        """
        from scipy.special import betainc, betaincinv  # slow to import

        group = group[self.known[group]]
        n = len(group)
        if n < LEAST:
            return []
        start, end = (np.searchsorted(self.rows, group, side) for side in ("left", "right"))
        lengths = end - start
        before = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(start - before, lengths)
        facts, members = np.unique(self.facts[places], return_counts=True)
        kept = (members >= LEAST) & (members >= LEAST_SHARE * n)
        facts, k = facts[kept], members[kept]
        counts, total = base
        p = (counts[facts] + 0.5) / (total + 1)
        chance = betainc(k, n - k + 1, p)  # at least k of n, by chance
        lift = betaincinv(k, n - k + 1, 0.025) / p
        told = (lift >= LEAST_LIFT) & (chance * tried <= MOST_CHANCE)
        order = np.argsort(chance[told], kind="stable")
        return [
            SharedFact(
                self.kind,
                self.names[int(facts[told][i])],
                int(k[told][i]),
                float(k[told][i] / n),
                float(p[told][i]),
                float(lift[told][i]),
            )
            for i in order
        ]


def _tables(index: FeatureIndex, features: Array, labels: Mapping[int, str]) -> list[_Facts]:
    """Return the facts of features, kind by kind, those that say most first."""
    fired = _strongest_tokens(index, features)
    logits = index.array("logits/top_ids")
    raised = fired[:, :0] if logits is None else np.asarray(logits[features]).astype(np.int64)
    return [
        _label_facts(features, labels),
        _column_facts(index, features, "language", index.info.languages),
        _token_facts("token", index, fired, _OF_FIRINGS),
        _token_facts("raised", index, raised, 0.0),
        _kind_facts("tokens", index, fired),
        _kind_facts("raised_tokens", index, raised),
        _column_facts(index, features, "source", index.info.sources),
    ]


def _label_facts(features: Array, labels: Mapping[int, str]) -> _Facts:
    names: dict[str, int] = {}
    pairs: list[tuple[int, int]] = []
    known = np.zeros(len(features), bool)
    for row, feature in enumerate(features.tolist() if labels else ()):
        words = label_words(labels.get(feature, ""))
        known[row] = feature in labels
        pairs += [(row, names.setdefault(word, len(names))) for word in words]
    return _facts("label", list(names), pairs, known)


def _column_facts(
    index: FeatureIndex, features: Array, name: Literal["language", "source"], names: list[str]
) -> _Facts:
    if name not in index.columns:
        return _facts(name, names, [], np.zeros(len(features), bool))
    of = np.asarray(index.columns[name])[features]
    rows = np.flatnonzero(of >= 0)
    return _Facts(name, names, rows, of[rows].astype(np.int64), of >= 0)


def _strongest_tokens(index: FeatureIndex, features: Array) -> Array:
    """Return (features, slots) the tokens of the strongest contexts; −1: none."""
    rows = index.arrays["contexts/row"]
    slots = np.flatnonzero(np.asarray(index.arrays["contexts/bucket"]) == TOP_BUCKET)
    if slots.ndim != 1 or not len(slots):
        return np.full((len(features), 1), -1, np.int64)
    chosen = np.asarray(rows[features])[:, slots].astype(np.int64)
    tokens = np.asarray(index.tokens[np.maximum(chosen, 0).ravel()]).reshape(chosen.shape)
    return np.where(chosen >= 0, tokens, -1).astype(np.int64)


def _token_facts(kind: FactKind, index: FeatureIndex, ids: Array, least: float) -> _Facts:
    """Return which tokens (features, slots) are at least a share of a feature's."""
    known, rows, at = _slots(ids)
    unique, place = np.unique(ids[rows, at], return_inverse=True)
    names: dict[str, int] = {"": 0}  # what is no word
    keys = [names.setdefault(token_key(index.token(int(i))), len(names)) for i in unique]
    pairs = rows * len(names) + np.array(keys, np.int64)[place]
    pairs, times = np.unique(pairs, return_counts=True)
    row, fact = pairs // len(names), pairs % len(names)
    kept = (fact > 0) & (times >= least * known[row]) & ((times > 1) | (least == 0.0))
    return _Facts(kind, list(names), row[kept], fact[kept], known > 0)


def _kind_facts(kind: FactKind, index: FeatureIndex, ids: Array) -> _Facts:
    """Return of which kinds most of a feature's tokens (features, slots) are."""
    known, rows, at = _slots(ids)
    unique, place = np.unique(ids[rows, at], return_inverse=True)
    names = list(TOKEN_KINDS)
    has = np.zeros((len(unique), len(names)), np.int64)
    for number, token in enumerate(unique.tolist()):
        for name in kinds_of(index.token(token)):
            has[number, names.index(name)] = 1
    if kind == "raised_tokens":  # nearly every feature raises some of these
        has[:, [names.index(name) for name in ("starts of words", "insides of words")]] = 0
    counts = np.stack([np.bincount(rows, one[place], len(ids)) for one in has.T], axis=1)
    row, fact = np.nonzero((counts >= _OF_KINDS * known[:, None]) & (counts > 1))
    return _Facts(kind, names, row, fact, known > 0)


def _slots(ids: Array) -> tuple[Array, Array, Array]:
    """Return how many tokens each feature has, and the row and slot of every one."""
    rows, at = np.nonzero(ids >= 0)
    return (ids >= 0).sum(axis=1), rows, at


def _facts(
    kind: FactKind, names: Sequence[str], pairs: list[tuple[int, int]], known: Array
) -> _Facts:
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return _Facts(kind, names, found[:, 0], found[:, 1], known)
