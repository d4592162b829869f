"""What labels are held against that mean nothing: directions drawn at random, as features.

A direction of the model's activations, drawn at random, fires where the activations lie furthest
along it, on as many tokens as a feature does. Its label is the token it fires on most. Where no
model can be asked, the labels are held against other features of like density instead. Free of
torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.examples import examples_of_firings
from sae_desktop.labels.known_firings import KnownFirings
from sae_desktop.labels.scoring.feature_scores import FeatureScorer, top_token
from sae_desktop.labels.scoring.shown_labels import ShownLabel

Array = npt.NDArray[Any]

DIRECTIONS = 32
_COMPANIONS = 10
_LEAST_FIRINGS = 60
"""Of a direction, in the rows read: with fewer its examples would be too few."""


class Along(Protocol):
    """Rows (R,) that were read, and how far they lie along each of Q directions, (Q, R)."""

    @property
    def spans(self) -> Array: ...
    @property
    def read_rows(self) -> Array: ...
    @property
    def along(self) -> Array: ...


def random_directions(width: int, count: int, seed: int) -> Array:
    """Return directions (count, width) of length 1, each as likely as any other."""
    drawn = np.random.default_rng(seed).standard_normal((count, width))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def of_directions(scorer: FeatureScorer, read: Along, seed: int) -> Array:
    """Return the detection (Q,) of random directions' most frequent tokens as their labels."""
    densities = np.asarray(scorer.index.columns["density"], np.float64)
    alive = np.flatnonzero(densities > 0)
    rng = np.random.default_rng(seed)
    found = []
    for number, along in enumerate(read.along):
        density = float(densities[rng.choice(alive)])
        wanted = max(int(density * len(along)), _LEAST_FIRINGS)
        at = np.sort(np.argpartition(along, -wanted)[-wanted:])
        values = along[at] - along[at].min() + 1e-6
        known = KnownFirings(read.read_rows[at], values.astype(np.float32), read.spans, fair=True)
        companions = rng.choice(alive, min(_COMPANIONS, len(alive)), replace=False).tolist()
        examples = examples_of_firings(
            scorer.index, known, companions, seed=seed + number, test=scorer.counts.per_interval,
            silent=scorer.counts.silent,
        )  # fmt: skip
        label = ShownLabel(-1, top_token(examples), "")
        found.append(scorer.label_on(label, examples).whole.value)
    return np.asarray(found)


def of_features(
    scorer: FeatureScorer, index: FeatureIndex, labels: Sequence[ShownLabel], seed: int
) -> Array:
    """Return the detection (n,) of labels on features of like density that are not their own."""
    densities = np.asarray(index.columns["density"], np.float64)
    order = np.argsort(densities, kind="stable")
    order = order[densities[order] > 0]
    rng = np.random.default_rng(seed)
    found = []
    for label in labels:
        place = int(np.searchsorted(densities[order], densities[label.feature]))
        near = order[max(place - 10, 0) : place + 11]
        near = near[near != label.feature]
        if len(near):
            examples = scorer.examples(int(rng.choice(near)))
            found.append(scorer.label_on(label, examples).whole.value)
    return np.asarray(found)
