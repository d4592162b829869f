"""Places in an index's text by which a feature is explained and labels are scored. Free of torch.

Firings are drawn from each interval of activation: the index's own buckets, of equal width from
0 to the feature's maximum or of equally many firings (`Examples.scheme` says which). Silent
places are drawn at random, on the tokens the feature fires on, and in contexts of the features
most like it. Documents that names may be made from and those held out are kept apart
(`held_out.py`). All is the same for the same seed.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sae_desktop.features.config import BucketScheme
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.known_firings import Chances, KnownFirings, known_firings
from sae_desktop.labels.row_text import BEFORE, LEAST_SILENT, RowText, Shown

Array = npt.NDArray[Any]
Kind = Literal["firing", "random", "same_token", "neighbour"]
SILENT_KINDS: tuple[Kind, ...] = ("random", "same_token", "neighbour")

MOST_DOUBT = 0.1
"""How likely the feature may fire in a silent example of an index without its firings."""
NO_FEATURE = -1
_INTERVALS = 5
_LIKELY = 0.02
"""A token on which more of its occurrences fire is not part of a silent example unless known."""
_TOKENS = 10
_COMPANIONS = 12
_CANDIDATES = 12
"""For each silent place that is wanted, this many are looked at."""
_MOST_FIRINGS = 50_000


@dataclass(frozen=True)
class Example:
    """A piece of text and what a feature does in it. T tokens."""

    kind: Kind
    row: int
    """The marked row of the index's text: of a firing its own."""
    document: int
    tokens: tuple[str, ...]
    activations: Array = field(compare=False)
    """(T,) float32; all 0 in a silent one."""
    peak: int
    """Which of the tokens is marked."""
    activation: float
    """At the marked token; 0 in a silent one."""
    interval: int
    """0: silent; 1 … `Examples.intervals` from the weakest to the strongest."""
    doubt: float = 0.0
    """How likely it fires in a silent one all the same: not 0 where the index kept no firings."""
    of: int = -1
    """The other feature whose context it is; −1: none."""

    @property
    def fires(self) -> bool:
        return self.kind == "firing"


@dataclass(frozen=True)
class Examples:
    """What a feature is explained from, and what labels of it are held against."""

    feature: int
    scheme: BucketScheme
    edges: Array = field(compare=False)
    """(intervals + 1,) bounds of activation; interval i holds edges[i − 1] < a ≤ edges[i]."""
    explain: tuple[Example, ...]
    """Firings of all intervals, the strongest first, from documents names may be made from."""
    contrast: tuple[Example, ...]
    """Silent places of all kinds from the same documents, to tell the feature from others."""
    test: tuple[Example, ...]
    """Held out: firings of all intervals, the strongest first, then silent ones."""
    complete: bool
    """Whether the index keeps its firings; else silence is partly an estimate (`doubt`)."""

    @property
    def intervals(self) -> int:
        return len(self.edges) - 1

    def tested(self, kind: Kind, interval: int | None = None) -> list[Example]:
        """Return the held-out examples of a kind, and of an interval where one is given."""
        return [
            e for e in self.test if e.kind == kind and (interval is None or e.interval == interval)
        ]


def examples(
    index: FeatureIndex,
    feature: int,
    *,
    seed: int = 0,
    explain: int = 8,
    test: int = 10,
    silent: int = 20,
    known: KnownFirings | None = None,
) -> Examples:
    """Return the examples of a feature: of each interval so many to explain it and so many to
    test, and so many silent ones of each kind; fewer where the text has fewer.

    `known`: firings that are known beside those of the index, such as a model has found by reading
    its text again.

    Raises UserError for a feature that there is not and for damaged firings.
    """
    return _reader(index).read(
        index, index.check_feature(feature), seed, (explain, test, silent), known
    )


def examples_of_firings(
    index: FeatureIndex,
    known: KnownFirings,
    companions: Sequence[int],
    *,
    seed: int = 0,
    explain: int = 8,
    test: int = 10,
    silent: int = 20,
) -> Examples:
    """Return examples of firings that are no feature's, such as a random direction's.

    Their intervals are five of equal width; `companions` are the features whose contexts take the
    place of a feature's nearest.
    """
    top = float(known.values.max(initial=0.0))
    edges = np.linspace(0.0, top, _INTERVALS + 1, dtype=np.float32)
    counts = explain, test, silent
    return _reader(index).drawn(
        index, NO_FEATURE, known, (edges, "linear"), seed, counts, companions
    )


def interval_edges(index: FeatureIndex, feature: int) -> tuple[Array, BucketScheme]:
    """Return the bounds (intervals + 1,) of a feature's intervals, and how they were laid."""
    if index.info.buckets > 0:
        return index.bucket_edges(feature), index.info.bucket_scheme
    top = float(index.columns["max_activation"][feature])
    return np.linspace(0.0, top, _INTERVALS + 1, dtype=np.float32), "linear"


def interval_of(values: Array, edges: Array) -> Array:
    """Return the interval (n,) of activations, from 1; what is above the last is in the last."""
    return np.where(values > 0, np.searchsorted(edges[1:-1], values, side="left") + 1, 0)


class _Reader:
    """What is worked out once of an index."""

    def __init__(self, index: FeatureIndex) -> None:
        self._text = RowText(index)
        self._firings = index.firings()

    def read(
        self, index: FeatureIndex, feature: int, seed: int, counts: tuple[int, int, int],
        more: KnownFirings | None,
    ) -> Examples:  # fmt: skip
        index.release_maps()
        known = known_firings(index, feature, self._firings)
        known = known if more is None else known.joined(more)
        return self.drawn(
            index, feature, known, interval_edges(index, feature), seed, counts,
            _companions(index, feature),
        )  # fmt: skip

    def drawn(
        self, index: FeatureIndex, feature: int, known: KnownFirings,
        intervals: tuple[Array, BucketScheme], seed: int, counts: tuple[int, int, int],
        companions: Sequence[int],
    ) -> Examples:  # fmt: skip
        (edges, scheme), (explain, test, silent) = intervals, counts
        sides = []
        for kept, per_interval in ((False, explain), (True, test)):
            draw = _Draw(index, self._text, feature, known, edges, kept, seed, companions)
            sides.append((draw.firings(per_interval), draw.silent(silent)))
        (explained, contrast), (tested, silence) = sides
        return Examples(
            feature, scheme, edges, tuple(explained), tuple(contrast), (*tested, *silence),
            known.complete,
        )  # fmt: skip


def _companions(index: FeatureIndex, feature: int) -> list[int]:
    """Return the nearest features: by the decoder's directions, then by firing along with it."""
    near = [other for other, _ in index.neighbours(feature)[:_COMPANIONS]]
    along = [other.feature for other in index.coactive(feature)[:_COMPANIONS]]
    return [other for other in dict.fromkeys([*near, *along]) if other != feature]


_readers: weakref.WeakKeyDictionary[FeatureIndex, _Reader] = weakref.WeakKeyDictionary()


def _reader(index: FeatureIndex) -> _Reader:
    reader = _readers.get(index)
    if reader is None:
        reader = _readers[index] = _Reader(index)
    return reader


class _Draw:
    """Draws the examples of a feature from the documents of one side."""

    def __init__(
        self, index: FeatureIndex, text: RowText, feature: int, known: KnownFirings, edges: Array,
        kept: bool, seed: int, companions: Sequence[int],
    ) -> None:  # fmt: skip
        self._index, self._text, self._known = index, text, known
        self._feature, self._edges, self._kept = feature, edges, kept
        self._companions = companions
        self._own = np.empty(0, np.int64)
        if feature != NO_FEATURE:
            self._own = np.asarray(index.arrays["contexts/row"][feature])
        self._rng = np.random.default_rng([seed, feature + 1, kept])

    def firings(self, per_interval: int) -> list[Example]:
        """Return firings, one a window in each interval, the strongest interval first."""
        rows, values = self._known.rows, self._known.values
        if len(rows) > _MOST_FIRINGS:
            some = np.sort(self._rng.choice(len(rows), _MOST_FIRINGS, replace=False))
            rows, values = rows[some], values[some]
        side = self._text.on_side(rows, self._kept) & (values > 0)
        rows, values = rows[side], values[side]
        shown = self._text.shown(rows)
        chosen = np.isin(rows, self._own)
        whole = self._known.covers(shown.first, shown.last) | chosen
        intervals = np.where(whole, interval_of(values, self._edges), 0)
        found = []
        for interval in range(len(self._edges) - 1, 0, -1):
            places = self._rng.permutation(np.flatnonzero(intervals == interval))
            drawn = self._one_a_window(rows[places], places)[:per_interval]
            for place in drawn[np.argsort(-values[drawn], kind="stable")].tolist():
                found.append(self._example("firing", shown, place, interval=interval))
        return found

    def silent(self, count: int) -> list[Example]:
        """Return silent examples, up to `count` of each kind."""
        found = self._fill("random", self._random(count), count)
        found += self._fill("same_token", self._same_token(count), count)
        rows, features = self._of_companions()
        return found + self._fill("neighbour", rows, count, features)

    def _random(self, count: int) -> Array:
        return self._rng.integers(0, self._text.rows, 4 * _CANDIDATES * count)

    def _same_token(self, count: int) -> Array:
        """Return rows (k,) of the tokens on which it fires most, in a drawn order."""
        tokens = self._text.tokens[self._known.rows]
        held = np.bincount(tokens[tokens >= 0], minlength=1)
        most = np.argsort(-held, kind="stable")[:_TOKENS]
        wanted = _CANDIDATES * count
        found = [np.empty(0, np.int64)]
        for token in most[held[most] > 0].tolist():
            rows = self._text.rows_of_token(token)
            share = max(int(wanted * held[token] / held[most].sum()), count)
            found.append(self._rng.choice(rows, min(share, len(rows)), replace=False))
        near = self._known.rows[self._rng.permutation(len(self._known.rows))[:wanted]]
        found.append(self._close_by(near, most[held[most] > 0]))
        return self._rng.permutation(np.concatenate(found).astype(np.int64))

    def _close_by(self, rows: Array, tokens: Array) -> Array:
        """Return the rows of some tokens in what is shown around others."""
        shown = self._text.shown(rows)
        near = [np.arange(a, b) for a, b in zip(shown.first, shown.last, strict=True)]
        around = np.unique(np.concatenate([np.empty(0, np.int64), *near]))
        return around[np.isin(self._text.tokens[around], tokens)]

    def _of_companions(self) -> tuple[Array, Array]:
        """Return rows (k,) of contexts of its companions, in turn, and whose (k,) they are."""
        rows, features, turns = [], [], []
        for feature in self._companions:
            own = self._index.arrays["contexts/row"][feature]
            own = self._rng.permutation(own[own >= 0])
            rows.append(own.astype(np.int64))
            features.append(np.full(len(own), feature))
            turns.append(np.arange(len(own)))
        if not rows:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        order = np.argsort(np.concatenate(turns), kind="stable")
        return np.concatenate(rows)[order], np.concatenate(features)[order]

    def _fill(
        self, kind: Kind, rows: Array, count: int, features: Array | None = None
    ) -> list[Example]:
        """Return the first `count` of the rows around which the feature is silent."""
        kept = self._text.on_side(rows, self._kept) & ~self._known.fires(rows)
        rows, features = rows[kept], None if features is None else features[kept]
        if self._known.fair and not self._known.complete:
            sure = self._known.covers(rows, rows + 1)
            rows, features = rows[sure], None if features is None else features[sure]
        shown, doubt = self._silence(rows)
        wide = shown.last - shown.first >= LEAST_SILENT
        places = self._one_a_window(rows[wide], np.flatnonzero(wide))[:count]
        return [
            self._example(
                kind, shown, place, doubt=float(doubt[place]),
                of=-1 if features is None else int(features[place]),
            )
            for place in places.tolist()
        ]  # fmt: skip

    def _silence(self, rows: Array) -> tuple[Shown, Array]:
        """Return the silent stretch around rows (k,), and how doubtful (k,) the silence is."""
        shown = self._text.shown(rows)
        before, after = self._known.silence(rows)
        first, last = np.maximum(shown.first, before + 1), np.minimum(shown.last, after)
        doubt = np.zeros(len(rows))
        unsure = np.flatnonzero(~self._known.covers(first, last))
        if not len(unsure):
            return Shown(rows, first, last), doubt
        rates = self._chances.elsewhere(self._text.document_of(rows[unsure]))
        for place, rate in zip(unsure.tolist(), rates.tolist(), strict=True):
            row, low, high = int(rows[place]), int(first[place]), int(last[place])
            likely = self._chances.of_tokens(self._text.tokens[low:high]) > _LIKELY
            if likely[row - low]:
                last[place] = low
                continue
            stops = low + np.flatnonzero(likely)
            low = max([low, *(stops[stops < row] + 1).tolist()])
            high = min([high, *stops[stops > row].tolist()])
            most = max(int(MOST_DOUBT / rate) if rate > 0 else high - low, LEAST_SILENT)
            low = max(low, min(row - int(most * BEFORE), high - most))
            first[place], last[place] = low, min(high, low + most)
            doubt[place] = 1.0 - (1.0 - min(rate, 1.0)) ** (last[place] - low)
        return Shown(rows, first, last), doubt

    @cached_property
    def _chances(self) -> Chances:
        return Chances(self._index, self._feature, self._text.occurrences)

    def _one_a_window(self, rows: Array, places: Array) -> Array:
        """Return the first of the places of each window, in their order."""
        _, first = np.unique(self._text.window_of(rows), return_index=True)
        return places[np.sort(first)]

    def _example(
        self, kind: Kind, shown: Shown, place: int, *, interval: int = 0, doubt: float = 0.0,
        of: int = -1,
    ) -> Example:  # fmt: skip
        row, first, last = (int(values[place]) for values in shown)
        activations = self._known.activations(first, last)
        return Example(
            kind=kind,
            row=row,
            document=int(self._text.document_of(np.asarray([row]))[0]),
            tokens=tuple(self._index.token(t) for t in self._text.tokens[first:last].tolist()),
            activations=activations,
            peak=row - first,
            activation=float(activations[row - first]),
            interval=interval,
            doubt=doubt,
            of=of,
        )
