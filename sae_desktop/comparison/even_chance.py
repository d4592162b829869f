"""The frequency at which a concept has a feature or not with equal chances."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression

Array = npt.NDArray[Any]

LEVEL = 0.95
_RIDGE = 1e-3
_FEWEST = 5
"""Concepts below which a curve says nothing."""
_BEYOND = 7.0
"""So far past the concepts, in logs, a crossing is looked for."""
_CROSSINGS, _HALVINGS, _NEWTON = 101, 30, 25
_DRAWS = 300
_TINY = 1e-4
"""Ridge that keeps curves of lists that part cleanly finite."""
_STEEPEST = 60.0
"""The slope over the concepts' spread that stands for a clean cut."""


class EvenChance(NamedTuple):
    """The frequency, and its interval of 95%; an end that the concepts do not set is None."""

    frequency: float
    low: float | None
    high: float | None


def even_chance(frequency: Array, found: Array) -> EvenChance | None:
    """Fit P(found) = σ(w₀ + w₁·log frequency) and return where it is one half.

    frequency (C,) above 0, found (C,) bool. (Scaling Monosemanticity, Feature Completeness,
    finds that frequency × alive features to be about the same for dictionaries of all sizes.)
    The slope is held back a little, so that it stays finite where the two sides part cleanly.
    The interval is that of a likelihood ratio: all frequencies that a test at 5% does not
    reject, with the slope that suits each best. Its limit is taken from lists drawn from the
    fitted curve, for with few concepts that of the χ² distribution is too strict.
    None where there is no such frequency: fewer than 5 concepts, all found or none, or those
    that are found are no more frequent.
    """
    logs, found = np.log(np.asarray(frequency, float)), np.asarray(found, bool)
    best = _crossing(logs, found)
    if best is None:
        return None
    low, high = _interval(logs, found, best)
    return EvenChance(
        math.exp(best),
        None if low is None else math.exp(low),
        None if high is None else math.exp(high),
    )


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
    return crossing if logs.min() - _BEYOND < crossing < logs.max() + _BEYOND else None


def _interval(logs: Array, found: Array, best: float) -> tuple[float | None, float | None]:
    """Return the least and the largest crossing not rejected; None: beyond all looked at."""
    places = np.linspace(logs.min() - _BEYOND, logs.max() + _BEYOND, _CROSSINGS)
    deviances = _through(places, logs, found)
    least = min(float(_through(np.array([best]), logs, found)[0]), float(deviances.min()))
    limit = least + max(float(chi2.ppf(LEVEL, 1)), _drawn_limit(logs, best, _slope(logs, found)))

    def over(place: float) -> float:
        return float(_through(np.array([place]), logs, found)[0]) - limit

    ends: list[float | None] = []
    for side in (slice(None, None, -1), slice(None)):
        inside, outside = best, None
        for place, deviance in zip(places[side], deviances[side], strict=True):
            if (place < best) != (side.step == -1):
                continue
            if deviance > limit:
                outside = float(place)
                break
            inside = float(place)
        ends.append(None if outside is None else float(brentq(over, inside, outside, xtol=1e-9)))
    return ends[0], ends[1]


def _drawn_limit(logs: Array, crossing: float, slope: float) -> float:
    """Return what the deviance exceeds its least by in 5% of lists drawn from a curve."""
    rng = np.random.default_rng(0)
    drawn = rng.random((_DRAWS, len(logs))) < expit(slope * (logs - crossing))
    drawn = drawn[drawn.any(axis=1) & ~drawn.all(axis=1)]
    if not len(drawn):
        return 0.0
    at_truth = _through(np.full(len(drawn), crossing), logs, drawn)
    return float(np.quantile(at_truth - _least(logs, drawn), LEVEL))


def _slope(logs: Array, found: Array) -> float:
    """Return the slope in log frequency with its bias for few concepts taken off (Firth, 1993).

    That of the best fit is too steep, and has no end where the two sides part cleanly.
    """
    spread = max(float(logs.std()), 1e-12)
    table = np.column_stack([np.ones_like(logs), (logs - logs.mean()) / spread])
    weights = np.zeros(2)
    for _ in range(4 * _NEWTON):
        p = expit(table @ weights)
        information = (table * (p * (1 - p))[:, None]).T @ table + 1e-12 * np.eye(2)
        inverse = np.linalg.inv(information)
        leverage = p * (1 - p) * np.einsum("ci,ij,cj->c", table, inverse, table)
        step = inverse @ table.T @ (found - p + leverage * (0.5 - p))
        weights = weights + np.clip(step, -1.0, 1.0)
    return max(float(weights[1]) / spread, 0.0)


def _least(logs: Array, found: Array) -> Array:
    """Return the deviance (n,) of the best curve of each list, found (n, C)."""
    x = (logs - logs.mean()) / max(float(logs.std()), 1e-12)
    table = np.column_stack([np.ones_like(x), x])
    weights = np.zeros((len(found), 2))
    for _ in range(_NEWTON):
        p = expit(weights @ table.T)
        slope = (found - p) @ table - _TINY * weights
        bend = np.einsum("nc,ci,cj->nij", p * (1 - p), table, table) + _TINY * np.eye(2)
        step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        weights = weights + np.clip(step, -2.0, 2.0)
    return _deviance(weights @ table.T, found)


def _through(crossings: Array, logs: Array, found: Array) -> Array:
    """Return the deviance (n,) of the rising curve through each crossing that fits best.

    found (C,), or (n, C) with a list for each.
    """
    away = logs[None] - crossings[:, None]
    low = np.zeros(len(crossings))
    high = np.full(len(crossings), _STEEPEST / max(float(logs.std()), 1e-12))
    for _ in range(_HALVINGS):  # the likelihood is concave in the slope
        slope = (low + high) / 2
        rising = ((found - expit(slope[:, None] * away)) * away).sum(axis=1) > 0
        low, high = np.where(rising, slope, low), np.where(rising, high, slope)
    slope = (low + high) / 2
    return _deviance(slope[:, None] * away, found)


def _deviance(log_odds: Array, found: Array) -> Array:
    """Return −2 log likelihood (n,) of log odds (n, C)."""
    sign = np.where(found, -1.0, 1.0)
    return np.asarray(2 * np.logaddexp(0.0, sign * log_odds).sum(axis=-1))
