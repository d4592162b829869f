"""The frequency at which a concept has a feature or not with equal chances."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Array = npt.NDArray[Any]

_RIDGE = 1e-3
_RESAMPLED = 200
_INTERVAL = (5.0, 95.0)
_FEWEST = 5
"""Concepts below which a curve says nothing."""


class EvenChance(NamedTuple):
    """The frequency, and an interval of 90% by resampling the concepts."""

    frequency: float
    low: float
    high: float


def even_chance(frequency: Array, found: Array, seed: int = 0) -> EvenChance | None:
    """Fit P(found) = σ(w₀ + w₁·log frequency) and return where it is one half.

    frequency (C,) above 0, found (C,) bool. (Scaling Monosemanticity, Feature Completeness,
    finds that frequency × alive features to be about the same for dictionaries of all sizes.)
    The slope is held back a little, so that it stays finite where the two sides part cleanly.
    None where there is no such frequency: fewer than 5 concepts, all found or none, or those
    that are found are no more frequent.
    """
    logs, found = np.log(np.asarray(frequency, float)), np.asarray(found, bool)
    best = _crossing(logs, found)
    if best is None:
        return None
    rng = np.random.default_rng(seed)
    drawn = [
        _crossing(logs[i], found[i]) for i in rng.integers(len(logs), size=(_RESAMPLED, len(logs)))
    ]
    known = [value for value in drawn if value is not None]
    low, high = np.percentile(known, _INTERVAL) if known else (best, best)
    return EvenChance(math.exp(best), math.exp(low), math.exp(high))


def _crossing(logs: Array, found: Array) -> float | None:
    """Return the log frequency at which the curve is one half."""
    spread = float(logs.std())
    if len(logs) < _FEWEST or found.all() or not found.any() or spread == 0:
        return None
    x = ((logs - logs.mean()) / spread)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = LogisticRegression(C=1 / (2 * _RIDGE * len(logs)), max_iter=1000).fit(x, found)
    slope, offset = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    if slope <= 0:
        return None
    # A curve that is nearly flat crosses one half far outside of what was seen.
    crossing = float(logs.mean() - spread * offset / slope)
    return crossing if logs.min() - 7 < crossing < logs.max() + 7 else None
