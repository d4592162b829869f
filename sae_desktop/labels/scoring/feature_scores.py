"""Scores one feature's label after another on held-out text, beside its rivals. Free of torch.

The detector of an automatic name is its facts (`facts.py`); that of any other label its words
(`words.py`) and, with a sentence encoder, its meaning too. Rivals are tried on the same texts:
another feature's label, and the token the feature fires on most as a label of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.label_score import (
    SILENCES,
    Detector,
    Figure,
    LabelScore,
    Part,
    label_digest,
)
from sae_desktop.features.reading.names_file import FeatureName
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.scores_file import interval_names
from sae_desktop.labels.examples import Example, Examples, examples
from sae_desktop.labels.known_firings import KnownFirings, known_firings
from sae_desktop.labels.scoring.detection import (
    Areas,
    Trial,
    area_between,
    areas,
    mean_rank,
    trial_of,
)
from sae_desktop.labels.scoring.facts import FactsDetector
from sae_desktop.labels.scoring.matching import NOTHING, Matching, MatchingPlaces
from sae_desktop.labels.scoring.shown_labels import ShownLabel
from sae_desktop.labels.scoring.words import MarkedText, Texts, WordsDetector
from sae_desktop.project_labels import STATISTICS

Array = npt.NDArray[Any]

OTHERS = 150
"""Texts of other features that a label is held against for its specificity."""


class Encoder(Protocol):
    """What turns texts into vectors of length 1."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


class Known(Protocol):
    """What is known of features' firings beside what the index has."""

    def known(self, feature: int) -> KnownFirings: ...
    @property
    def read_rows(self) -> Array:
        """Rows (R,) of which everything is known, a fair sample of the text."""


class Counts(NamedTuple):
    """How many texts a label is held against."""

    per_interval: int = 10
    silent: int = 20


@dataclass
class FeatureScorer:
    """Scores labels of an index's features."""

    index: FeatureIndex
    seed: int = 0
    counts: Counts = field(default_factory=Counts)
    read: Known | None = None
    encoder: Encoder | None = None
    texts: Texts = field(init=False)
    _others: list[tuple[int, MarkedText]] = field(init=False)
    _others_texts: _Trialled = field(init=False)

    def __post_init__(self) -> None:
        self.texts = Texts(self.index, self.seed)
        self._others = self._of_others()
        self._others_texts = _Trialled([text for _, text in self._others], self.encoder)
        if self.index.names is not None:
            self._others_texts.facts = self._facts.of_rows(self._others_texts.rows)

    def examples(self, feature: int) -> Examples:
        """Return the examples of a feature, as many as are wanted."""
        known = None if self.read is None else self.read.known(feature)
        return examples(
            self.index, feature, seed=self.seed, test=self.counts.per_interval,
            silent=self.counts.silent, known=known,
        )  # fmt: skip

    def score(self, label: ShownLabel, shuffled: ShownLabel) -> LabelScore | None:
        """Return how a feature's label does; None where too few of its firings are held out."""
        feature = label.feature
        found = self.examples(feature)
        trial = trial_of(found.test)
        if not trial.enough:
            return None
        texts = _Trialled([MarkedText(e) for e in found.test], self.encoder)
        token_label = ShownLabel(feature, top_token(found), "")
        own, other, token = (
            areas(trial, self._scores(one, texts)) for one in (label, shuffled, token_label)
        )
        specificity = self._specificity(label, texts, trial)
        matching = self._matching(label, found)
        return LabelScore(
            feature=feature,
            method=label.method,
            digest=label_digest(label.text),
            detector=self._detector(label),
            detection=own.whole,
            shuffled=other.whole,
            top_token=token.whole,
            intervals=_parts(
                interval_names(found.intervals), trial.interval,
                [one.intervals for one in (own, other, token)], first=1,
            ),
            silences=_parts(SILENCES, trial.kind, [one.kinds for one in (own, other, token)]),
            specificity=None if np.isnan(specificity.value) else specificity,
            matching=matching.places,
            matching_share=matching.shares,
        )  # fmt: skip

    def _detector(self, label: ShownLabel) -> Detector:
        if self._name(label) is not None:
            return "facts"
        return "words" if self.encoder is None else "both"

    def _name(self, label: ShownLabel) -> FeatureName | None:
        """Return the automatic name that a label is; None: it is another's work."""
        name = self.index.name(label.feature) if label.method == STATISTICS else None
        return name if name is not None and name.short == label.text else None

    @cached_property
    def _facts(self) -> FactsDetector:
        return FactsDetector(self.index)

    def label_on(self, label: ShownLabel, found: Examples) -> Areas:
        """Return how a label does on any examples."""
        trial = trial_of(found.test)
        texts = _Trialled([MarkedText(e) for e in found.test], self.encoder)
        return areas(trial, self._scores(label, texts))

    def _scores(self, label: ShownLabel, texts: _Trialled) -> Array:
        name = self._name(label)
        if name is not None:
            if texts.facts is None:
                texts.facts = self._facts.of_rows(texts.rows)
            return self._facts.scores(name, texts.facts)
        words = WordsDetector(label.text, self.texts).scores(texts.marked)
        if self.encoder is None:
            return words
        return mean_rank(words, texts.vectors @ self.encoder.encode([label.text])[0])

    @cached_property
    def _places(self) -> MatchingPlaces | None:
        """None where it is known around contexts alone what fires, which is no fair sample."""
        if self._firings is not None:
            return MatchingPlaces(self.index, None, self._facts, self.seed)
        if self.read is None:
            return None
        return MatchingPlaces(self.index, self.read.read_rows, self._facts, self.seed)

    def _matching(self, label: ShownLabel, found: Examples) -> Matching:
        if self._places is None:
            return NOTHING
        known = known_firings(self.index, label.feature, self._firings)
        if self.read is not None:
            known = known.joined(self.read.known(label.feature))
        name = self._name(label)
        if name is not None:
            return self._places.of_name(name, known, found.edges)
        return self._places.of_label(label.text, known, found.edges)

    @cached_property
    def _firings(self) -> StoredFirings | None:
        return self.index.firings()

    # ------------------------------------------------------------------ other features
    def others_of(self, feature: int) -> list[Example]:
        """Return texts in which other features fire."""
        return [text.example for other, text in self._others if other != feature]

    def _of_others(self) -> list[tuple[int, MarkedText]]:
        """Return firings of features drawn at random, held out."""
        alive = np.flatnonzero(np.asarray(self.index.columns["density"]) > 0)
        drawn = np.random.default_rng(self.seed).permutation(alive)
        found: list[tuple[int, MarkedText]] = []
        for feature in drawn.tolist():
            fired = [e for e in self.examples(feature).test if e.fires]
            found += [(feature, MarkedText(e)) for e in fired[:: max(len(fired) // 2, 1)][:2]]
            if len(found) >= OTHERS:
                break
        return found

    def _specificity(self, label: ShownLabel, texts: _Trialled, trial: Trial) -> Figure:
        feature, count = label.feature, len(trial.interval)
        silent = np.asarray([other != feature for other, _ in self._others], bool)
        if self.read is not None and len(silent):
            rows = np.asarray([text.example.row for _, text in self._others], np.int64)
            silent &= ~self.read.known(feature).fires(rows)
        others = self._others_texts.only(np.flatnonzero(silent))
        documents = np.asarray([text.example.document for text in others.marked], np.int64)
        fired = texts.only(np.arange(count))
        scores = self._scores(label, fired.with_(others))
        return area_between(scores[:count], scores[count:], trial.fired_document, documents)


class _Trialled:
    """Texts as detectors take them."""

    def __init__(
        self, marked: Sequence[MarkedText], encoder: Encoder | None, vectors: Array | None = None
    ) -> None:
        self.marked = list(marked)
        self.facts: Array | None = None
        if vectors is None and encoder is not None:
            vectors = encoder.encode([_shown(text.example) for text in marked])
        self.vectors = np.zeros((len(marked), 1), np.float32) if vectors is None else vectors

    @property
    def rows(self) -> Array:
        return np.asarray([text.example.row for text in self.marked], np.int64)

    def only(self, places: Array) -> _Trialled:
        """Return some of the texts."""
        kept = _Trialled([self.marked[p] for p in places.tolist()], None, self.vectors[places])
        kept.facts = None if self.facts is None else self.facts[places]
        return kept

    def with_(self, other: _Trialled) -> _Trialled:
        """Return these texts and others."""
        vectors = np.concatenate([self.vectors, other.vectors])
        both = _Trialled([*self.marked, *other.marked], None, vectors)
        if self.facts is not None and other.facts is not None:
            both.facts = np.concatenate([self.facts, other.facts])
        return both


def _shown(example: Example) -> str:
    """Return what a sentence encoder reads of an example: up to its marked word and a little on."""
    return "".join(example.tokens[: example.peak + 4])


def top_token(found: Examples) -> str:
    """Return the token the feature fires on most, as a label; empty: no firings are known.

    Of the texts names may be made from, the stronger firings count more.
    """
    counted: Counter[str] = Counter()
    for example in found.explain:
        counted[example.tokens[example.peak]] += 1
    if not counted:
        return ""
    token = counted.most_common(1)[0][0]
    return f"“{token.strip() or token}”"


def _parts(
    names: Sequence[str], places: Array, found: Sequence[dict[int, Figure]], first: int = 0
) -> tuple[Part, ...]:
    """Return the figures of a label and of its two rivals, by interval or by kind.

    `found` has them by the number of the part, counted from `first`.
    """
    own, shuffled, token = found
    return tuple(
        Part(
            name=name,
            figure=own[number],
            places=int((places == number).sum()),
            shuffled=shuffled[number].value,
            top_token=token[number].value,
        )
        for number, name in enumerate(names, start=first)
        if number in own
    )
