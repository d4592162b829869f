"""The area under the ROC curve of a classifier scored on held-out folds, and its uncertainty.

The interval of 95% is a score interval: all areas p from which the one found is no further than
z standard errors, with the error that p itself would have (Newcombe 2006, method 5, after Hanley
and McNeil 1982). It does not shrink to nothing at 1, as a bootstrap of few texts does. Texts that
are alike count as one, however many they are: a side's number of texts is that of Kish,
(Σ w)²/Σ w² over its groups of w texts. Classifiers of different folds learn from nearly the
same texts, so their areas go together; with a correlation of 1/k, the share of the texts that is
held out (Nadeau and Bengio 2003), the variance of the mean over k folds is 2 − 1/k times as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEVEL = 0.95
_HALVINGS = 50


def effective_texts(groups: Array) -> float:
    """Return how many texts that differ some texts (N,) are worth, from the group of each."""
    sizes = np.unique(groups, return_counts=True)[1].astype(float)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


def interval(
    area: float, folds: Sequence[tuple[float, float]], freedom: float = np.inf
) -> tuple[float, float]:
    """Return the ends for a mean area over folds, each of a given number of effective texts a
    side.

    `freedom`: degrees of freedom of what the number of effective texts was estimated from.
    """
    from scipy.stats import t

    z = float(t.ppf((1 + LEVEL) / 2, freedom))

    def inside(p: float) -> bool:
        return (p - area) ** 2 <= z**2 * _variance(p, folds)

    ends = []
    for limit in (0.0, 1.0):
        within, beyond = area, limit
        for _ in range(_HALVINGS):
            between = (within + beyond) / 2
            within, beyond = (between, beyond) if inside(between) else (within, between)
        ends.append(limit if abs(within - limit) < 1e-9 else within)
    return ends[0], ends[1]


def _variance(p: float, folds: Sequence[tuple[float, float]]) -> float:
    """Return the variance of the mean area over folds where the true one is p."""
    k = len(folds)
    total = 0.0
    for m, n in folds:
        more = (m + n) / 2 - 1
        total += p * (1 - p) * (1 + more * ((1 - p) / (2 - p) + p / (1 + p))) / (m * n)
    return (2 - 1 / k) * total / k**2
