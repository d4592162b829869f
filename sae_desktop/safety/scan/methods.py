"""Ways to tell a set’s texts apart: of the dictionary, and its cheap rivals on the same texts.

Each learns from the same templates and gives every text one score. N texts, F features, I width.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from sae_desktop.features.asking.text_classifier import (
    PooledText,
    fit_classifier,
    shares_of_maxima,
)
from sae_desktop.safety.scan.config import Pooling
from sae_desktop.safety.scan.reading import ReadTexts, columns_of
from sae_desktop.safety.scan.separation import areas

Array = npt.NDArray[Any]

BEST_FEATURE = "best feature"
FEATURE_CLASSIFIER = "sparse classifier on features"
DIFFERENCE = "difference of means"
LOGISTIC = "logistic regression on raw activations"
LOGISTIC_MEAN = "logistic regression on raw means"
RANDOM = "best random direction"
_MOST_RANDOM = 4096


class Scored(NamedTuple):
    """What a method says of every text."""

    name: str
    side: Literal["dictionary", "rival", "control"]
    texts_N: Array
    """Of the set."""
    ordinary_N: Array
    inputs: int
    weights: Array | None = None
    """(F,) of the classifier on features."""


class Part(NamedTuple):
    """Which texts of a set are learnt from."""

    places: Array
    """Of the texts."""
    positive: Array
    """(n,) bool of those."""
    template: Array
    """(n,) of those."""


def methods(
    of_set: ReadTexts,
    ordinary: ReadTexts | None,
    learn: Part,
    maxima_F: Array,
    areas_F: Array,
    pooling: Pooling,
    seed: int,
) -> list[Scored]:
    """Return all methods, those of the dictionary first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a weak penalty may not converge; another is chosen
        return [
            _best_feature(of_set, ordinary, areas_F),
            _classifier(of_set, ordinary, learn, maxima_F, seed),
            _difference(of_set, ordinary, learn, pooling),
            *_logistic(of_set, ordinary, learn, pooling, seed),
            _random(of_set, ordinary, learn, pooling, int((maxima_F > 0).sum()), seed),
        ]


def _texts(read: ReadTexts | None) -> list[PooledText]:
    return [] if read is None else read.pooled


def _best_feature(of_set: ReadTexts, ordinary: ReadTexts | None, areas_F: Array) -> Scored:
    best = np.array([int(np.argmax(areas_F))])
    return Scored(
        BEST_FEATURE, "dictionary", columns_of(of_set.pooled, best)[:, 0],
        columns_of(_texts(ordinary), best)[:, 0], 1,
    )  # fmt: skip


def _classifier(
    of_set: ReadTexts, ordinary: ReadTexts | None, learn: Part, maxima_F: Array, seed: int
) -> Scored:
    X = shares_of_maxima(of_set.pooled, maxima_F)
    y = learn.positive.astype(np.int64)
    fitted = fit_classifier(X[learn.places], y, learn.template, "l1", seed)
    best = getattr(fitted, "best_estimator_", fitted)
    weights_F = np.asarray(best.steps[-1][1].coef_[0])
    others = _texts(ordinary)
    beside = fitted.decision_function(shares_of_maxima(others, maxima_F)) if others else []
    return Scored(
        FEATURE_CLASSIFIER, "dictionary", fitted.decision_function(X), np.asarray(beside),
        int((weights_F != 0).sum()), weights_F,
    )  # fmt: skip


def _difference(
    of_set: ReadTexts, ordinary: ReadTexts | None, learn: Part, pooling: Pooling
) -> Scored:
    means = of_set.means[learn.places]
    direction = means[learn.positive].mean(axis=0) - means[~learn.positive].mean(axis=0)
    one_I1 = torch.from_numpy(direction)[:, None]
    beside = np.empty(0) if ordinary is None else ordinary.project(one_I1, pooling)[:, 0]
    found = of_set.project(one_I1, pooling)[:, 0]
    return Scored(DIFFERENCE, "rival", found, beside, len(direction))


def _logistic(
    of_set: ReadTexts, ordinary: ReadTexts | None, learn: Part, pooling: Pooling, seed: int
) -> list[Scored]:
    """Return that on activations pooled as the features are, and, where it differs, on means."""
    found = []
    for name, by_mean in ((LOGISTIC, pooling == "mean"), (LOGISTIC_MEAN, True)):
        if name == LOGISTIC_MEAN and pooling == "mean":
            continue
        X = of_set.means if by_mean else of_set.largest()
        y = learn.positive.astype(np.int64)
        fitted = fit_classifier(X[learn.places], y, learn.template, "logistic", seed)
        beside = np.empty(0)
        if ordinary is not None:
            others = ordinary.means if by_mean else ordinary.largest()
            beside = fitted.decision_function(others)
        found.append(Scored(name, "rival", fitted.decision_function(X), beside, X.shape[1]))
    return found


def _random(
    of_set: ReadTexts,
    ordinary: ReadTexts | None,
    learn: Part,
    pooling: Pooling,
    count: int,
    seed: int,
) -> Scored:
    """Return the best of as many random directions as there are features that fire."""
    generator = torch.Generator().manual_seed(seed)
    width = of_set.raw[0].shape[1]
    drawn = min(max(count, 1), _MOST_RANDOM)
    directions_In = torch.randn(width, drawn, generator=generator)
    scores_Nn = of_set.project(directions_In, pooling)
    best = int(np.argmax(areas(scores_Nn[learn.places], learn.positive)))
    one_I1 = directions_In[:, best : best + 1]
    beside = np.empty(0) if ordinary is None else ordinary.project(one_I1, pooling)[:, 0]
    return Scored(RANDOM, "control", scores_Nn[:, best], beside, drawn)
