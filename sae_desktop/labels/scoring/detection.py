"""How well scores of texts tell where a feature fires: areas under the ROC curve. Free of torch.

P firings of I intervals of activation, N silent texts of K kinds. The area is the mean over all
pairs of an interval and a kind, each weighing the same, of how often a firing's score is the
higher; ties count half. Its interval of 95% is that of `features/asking/auroc.py`, for as many
firings and silent texts as theirs are worth: texts of one document count as one another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.asking.auroc import interval as auroc_interval
from sae_desktop.features.reading.label_score import Figure
from sae_desktop.labels.examples import SILENT_KINDS, Example
from sae_desktop.labels.judging.measures import tails

Array = npt.NDArray[Any]

LEAST_FIRINGS, LEAST_SILENT = 5, 5
"""With fewer nothing is said."""
RESAMPLES = 1000
NONE = Figure(float("nan"), float("nan"), float("nan"))


class Trial(NamedTuple):
    """The texts a label is held against, without their scores."""

    interval: Array
    """(P,) of the firings, from 1."""
    fired_document: Array
    kind: Array
    """(N,) place in SILENT_KINDS of the silent ones."""
    silent_document: Array

    @property
    def enough(self) -> bool:
        return len(self.interval) >= LEAST_FIRINGS and len(self.kind) >= LEAST_SILENT


def trial_of(examples: Sequence[Example]) -> Trial:
    """Return what is known of examples, of which the firings come first."""
    fired = [e for e in examples if e.fires]
    silent = [e for e in examples if not e.fires]
    return Trial(
        np.asarray([e.interval for e in fired], np.int64),
        np.asarray([e.document for e in fired], np.int64),
        np.asarray([SILENT_KINDS.index(e.kind) for e in silent], np.int64),
        np.asarray([e.document for e in silent], np.int64),
    )


class Areas(NamedTuple):
    """A detector's areas."""

    whole: Figure
    intervals: dict[int, Figure]
    """Interval → its firings against all silent texts."""
    kinds: dict[int, Figure]
    """Place in SILENT_KINDS → all firings against silent texts of that kind."""


def areas(of: Trial, scores: Array) -> Areas:
    """Return the areas of scores (P + N,), the firings' first."""
    if not of.enough:
        return Areas(NONE, {}, {})
    wins = _wins(scores[: len(of.interval)], scores[len(of.interval) :])
    firing, silent = _even(of.interval), _even(of.kind)
    whole = _figure(wins, firing, silent, of)
    intervals = {
        int(i): _figure(wins, _only(of.interval == i), silent, of) for i in np.unique(of.interval)
    }
    kinds = {int(k): _figure(wins, firing, _only(of.kind == k), of) for k in np.unique(of.kind)}
    return Areas(whole, intervals, kinds)


def area_between(fired: Array, others: Array, documents: Array, of_others: Array) -> Figure:
    """Return how often scores (P,) of firings are above those of other texts (M,)."""
    if len(fired) < LEAST_FIRINGS or len(others) < LEAST_SILENT:
        return NONE
    of = Trial(np.ones(len(fired), np.int64), documents, np.zeros(len(others), int), of_others)
    return areas(of, np.concatenate([fired, others])).whole


def mean_rank(*scores: Array) -> Array:
    """Return the mean rank (n,) of several detectors' scores."""
    from scipy.stats import rankdata

    return np.asarray(np.mean([rankdata(one) for one in scores], axis=0))


def _wins(fired: Array, silent: Array) -> Array:
    """Return (P, N): 1 where a firing's score is the higher, 0.5 where they are equal."""
    return np.asarray((fired[:, None] > silent) + 0.5 * (fired[:, None] == silent))


def _even(groups: Array) -> Array:
    """Return weights (n,) that sum to 1 and are the same for each group."""
    _, of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[of.reshape(-1)] / len(counts))


def _only(mask: Array) -> Array:
    return mask / max(int(mask.sum()), 1)


def _figure(wins: Array, firing: Array, silent: Array, of: Trial) -> Figure:
    area = float(firing @ wins @ silent)
    worth = _worth(firing, of.fired_document), _worth(silent, of.silent_document)
    low, high = auroc_interval(min(max(area, 0.0), 1.0), [worth])
    return Figure(area, low, high)


def _worth(weights: Array, documents: Array) -> float:
    """Return how many texts of their own weighted texts are worth (Kish), document by document."""
    _, of = np.unique(documents, return_inverse=True)
    sums = np.bincount(of.reshape(-1), weights)
    return max(float(sums.sum() ** 2 / np.square(sums).sum()), 1.0)


def mean_of(values: Array, seed: int = 0) -> Figure:
    """Return the mean of many features' figures, with a bootstrap interval over the features.

    Its tails are those of Student's t, scaled as Hesterberg (2015) does: plain percentiles are too
    narrow for few features.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return NONE
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), tails(len(values)))
    return Figure(float(values.mean()), float(low), float(high))
