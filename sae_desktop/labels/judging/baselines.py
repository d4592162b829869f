"""What a label's score is held against: the same judge, asked the same way.

shuffled: the label of another feature, on the same texts. top_token: the token on which the
feature fires most, as its label, on the same texts. random: the label itself, on the texts of
another feature of like density, which it was not made for. direction: a random direction of the
model that fires as often, called by its own top token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sae_desktop.features.reading.judgement import Of
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.examples import Examples
from sae_desktop.labels.judging.chosen import ChosenLabel
from sae_desktop.labels.judging.question import Subject
from sae_desktop.labels.judging.subjects import Subjects

_LIKE = 20
"""Features of the nearest densities, of which one is drawn."""


class Baselines:
    """Makes the rivals of the labels that are judged."""

    def __init__(
        self, index: FeatureIndex, labels: Sequence[ChosenLabel], subjects: Subjects, seed: int
    ) -> None:
        self._index, self._labels, self._subjects, self._seed = index, labels, subjects, seed
        features = dict.fromkeys(label.feature for label in labels)
        self._number = {feature: number for number, feature in enumerate(features)}
        self._density = np.asarray(index.columns["density"], float)

    def of(self, label: ChosenLabel, subject: Subject, examples: Examples) -> dict[Of, Subject]:
        """Return what to judge beside a label; what cannot be made is left out."""
        rng = np.random.default_rng([self._seed, label.feature, 11])
        found: dict[Of, Subject] = {}
        shuffled = self._other_label(label, rng)
        if shuffled:
            found["shuffled"] = replace(subject, label=shuffled)
        token = top_token(examples)
        if token:
            found["top_token"] = replace(subject, label=token)
        other = self._like(label.feature, rng)
        if other is not None:
            found["random"] = replace(self._subjects.of(other), label=label.text)
        drawn = self._subjects.direction(self._number[label.feature], label.feature)
        if drawn is not None and (name := top_token(drawn[0])):
            found["direction"] = replace(drawn[1], label=name)
        return found

    def _other_label(self, label: ChosenLabel, rng: np.random.Generator) -> str:
        others = [
            one.text
            for one in self._labels
            if one.feature != label.feature and one.text.casefold() != label.text.casefold()
        ]
        return others[int(rng.integers(len(others)))] if others else self._other_name(label, rng)

    def _other_name(self, label: ChosenLabel, rng: np.random.Generator) -> str:
        """Return the automatic name of another feature, where no other label is judged."""
        for feature in rng.permutation(self._index.features)[:_LIKE].tolist():
            name = self._index.name(feature)
            if feature != label.feature and name is not None and name.short != label.text:
                return name.short
        return ""

    def _like(self, feature: int, rng: np.random.Generator) -> int | None:
        """Return a feature of like density that is not like it."""
        density = self._density
        near = {other for other, _ in self._index.neighbours(feature)} | {feature}
        alive = np.flatnonzero(density > 0)
        alive = alive[~np.isin(alive, list(near))]
        if not len(alive) or density[feature] <= 0:
            return None
        distance = np.abs(np.log(density[alive]) - np.log(density[feature]))
        return int(rng.choice(alive[np.argsort(distance, kind="stable")[:_LIKE]]))


def top_token(examples: Examples) -> str:
    """Return as a label the token on which a feature fires most often; empty: it has none."""
    counts = Counter(example.tokens[example.peak] for example in examples.explain)
    if not counts:
        return ""
    return f"the token “{counts.most_common(1)[0][0]}”"
