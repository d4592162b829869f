"""What fitted laws predict at a budget, with the uncertainty. Free of torch.

Where the law has an irreducible loss, an interval holds every value that some choice of all
parameters gives without an F test at 5% rejecting it (`region.py`): at given exponents, the
coefficients that are not rejected fill an ellipsoid, cut off where E is 0. It is that of the
law; a run scatters about it. K candidates for the exponents, J terms beside E.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.training.sweeps.region import LEVEL, OPEN, Ellipsoid, Interval, Region

Array = npt.NDArray[Any]
Predict = Callable[[float], Interval]
"""The interval of what a law says at a compute."""

_REACH = 6.0
"""So far about a candidate's best size, in logs, the size that sets an end is looked for."""
_SIZES = 41
_LOOKED_AT = 256
"""Candidates, those of the lowest or highest loss at their best size, that may set an end."""


def cannot_be_told(_compute: float) -> Interval:
    return OPEN


def of_line(x: Array, y: Array) -> Predict:
    """Return the prediction of a straight line in logs: Student's t."""
    from scipy.stats import linregress, t

    middle = np.log(x).mean()
    line = linregress(np.log(x) - middle, np.log(y))
    limit = float(t.ppf((1 + LEVEL) / 2, len(x) - 2))

    def at(compute: float) -> Interval:
        away = math.log(compute) - middle
        reach = limit * math.hypot(line.intercept_stderr, line.stderr * away)
        value = line.intercept + line.slope * away
        return Interval(low=math.exp(value - reach), high=math.exp(value + reach))

    return at


def of_law(region: Region) -> Predict:
    """Return the prediction of y = c·x^−e + E."""
    (exponents,), (scale,) = region.exponents, region.scales
    free, pinned = region.ellipsoids()

    def at(compute: float) -> Interval:
        terms = (compute / scale) ** -exponents
        low, high = _ends(free, pinned, np.stack([terms, np.ones_like(terms)], axis=1)[:, None])
        return Interval(low=max(0.0, float(low.min())), high=max(0.0, float(high.max())))

    return at


def of_surface(region: Region, best_features: Callable[[float], float]) -> Predict:
    """Return the prediction of the least loss of A·f^−α + B·s^−β + E with f·s given.

    The least over f of what is linear in A, B and E; its own least over an ellipsoid is the
    least over f of the linear ones', its most the least over f of their mosts (it is concave in
    these and convex in log f).
    """

    free, pinned = region.ellipsoids()

    def at(compute: float) -> Interval:
        near = _own_best(region, compute, math.log(best_features(compute)))[:, None]
        bounds = _ends(free, pinned, _weights(region, near, compute))
        found = []
        for side, sign in ((0, 1.0), (1, -1.0)):  # sizes are looked through where it matters
            chosen = np.argsort(sign * bounds[side][:, 0], kind="stable")[:_LOOKED_AT]
            sizes, reach = near[chosen], _REACH
            for _ in range(2):
                sizes = sizes + np.linspace(-reach, reach, _SIZES)
                weights = _weights(region, sizes, compute, chosen)
                ends = _ends(free.part(chosen), pinned.part(chosen), weights)[side]
                sizes = np.take_along_axis(sizes, ends.argmin(axis=1)[:, None], axis=1)
                reach = 2 * reach / (_SIZES - 1)
            least = ends.min(axis=1)
            found.append(max(0.0, float(least.min() if side == 0 else least.max())))
        return Interval(low=found[0], high=found[1])

    return at


def _own_best(region: Region, compute: float, otherwise: float) -> Array:
    """Return the log features (K,) at which each candidate's best coefficients are lowest."""
    (alpha, beta), (of_f, of_s) = region.exponents, region.scales
    A, B = region.linear.solved[:, 0], region.linear.solved[:, 1]
    known = (A > 0) & (B > 0)
    ratio = np.where(known, alpha * A, 1.0) / np.where(known, beta * B, 1.0)
    size = (np.log(ratio) + beta * math.log(compute / (of_f * of_s))) / (alpha + beta)
    return np.asarray(np.where(known, size + math.log(of_f), otherwise))


def of_best_size(region: Region) -> Predict:
    """Return the prediction of the features at which the surface is lowest, f·s given.

    log f = (log(αA/βB) + β·log compute)/(α + β); at given exponents it goes with A/B, whose
    ends over an ellipsoid are Fieller's.
    """
    (alpha, beta), (of_f, of_s) = region.exponents, region.scales

    def at(compute: float) -> Interval:
        low, high = _ratio_ends(region)
        ends: list[float | None] = []
        for ratio, told in ((low, low > 0), (high, np.isfinite(high))):
            if not told.all():
                ends.append(None)
                continue
            rest = beta * math.log(compute / (of_f * of_s))
            sizes = (np.log(alpha / beta * ratio) + rest) / (alpha + beta) + math.log(of_f)
            ends.append(float(np.exp(sizes.min() if len(ends) == 0 else sizes.max())))
        return Interval(low=ends[0], high=ends[1])

    return at


def _weights(
    region: Region, sizes: Array, compute: float, chosen: Array | slice = slice(None)
) -> Array:
    """Return weights (K, S, 3) of A, B and E for log features (K, S) of chosen candidates."""
    alpha, beta = (exponents[chosen] for exponents in region.exponents)
    of_f, of_s = region.scales
    f = sizes - math.log(of_f)
    s = math.log(compute) - sizes - math.log(of_s)
    terms = [np.exp(-alpha[:, None] * f), np.exp(-beta[:, None] * s), np.ones_like(f)]
    return np.stack(terms, axis=2)


def _ends(free: Ellipsoid, pinned: Ellipsoid, weights: Array) -> tuple[Array, Array]:
    """Return the least and the most (K, S) of Σ w_j c_j, E at least 0; weights (K, S, J + 1)."""
    ends = []
    for sign in (-1.0, 1.0):
        value, E = _extreme(free, weights, sign)
        on_edge, _ = _extreme(pinned, weights, sign)
        ends.append(np.where((E < 0) & (pinned.room >= 0)[:, None], on_edge, value))
    return ends[0], ends[1]


def _extreme(within: Ellipsoid, weights: Array, sign: float) -> tuple[Array, Array]:
    """Return the least (−1) or most (1) of Σ w_j c_j (K, S), and E where it is so."""
    along = np.einsum("kij,ksj->ksi", within.inverse, weights)
    variance = np.maximum(np.einsum("ksi,ksi->ks", weights, along), 1e-300)
    step = sign * np.sqrt(np.maximum(within.room, 0.0)[:, None] / variance)
    middle = np.einsum("ksi,ki->ks", weights, within.middle)
    return middle + step * variance, within.middle[:, -1][:, None] + step * along[:, :, -1]


def _ratio_ends(region: Region) -> tuple[Array, Array]:
    """Return the least and the most (K,) of A/B, E at least 0; 0 and ∞ where it is not told."""
    free, pinned = region.ellipsoids()
    on_edge = _ratio_of(pinned)
    found = []
    for end, edge in zip(_ratio_of(free), on_edge, strict=True):
        known = np.isfinite(end) & (end > 0)
        w = np.stack([np.ones_like(end), -np.where(known, end, 1.0), np.zeros_like(end)], axis=1)
        along = np.einsum("kij,kj->ki", free.inverse, w)
        shift = (w * free.middle).sum(axis=1) / np.maximum((w * along).sum(axis=1), 1e-300)
        E = free.middle[:, -1] - shift * along[:, -1]
        found.append(np.where((E < 0) & (pinned.room >= 0), edge, end))
    return found[0], found[1]


def _ratio_of(within: Ellipsoid) -> tuple[Array, Array]:
    """Return Fieller's ends (K,) of A/B; 0 and ∞ where A or B is not told from 0."""
    room = np.maximum(within.room, 0.0)
    A, B = within.middle[:, 0], within.middle[:, 1]
    square = B**2 - room * within.inverse[:, 1, 1]
    half = A * B - room * within.inverse[:, 0, 1]
    rest = A**2 - room * within.inverse[:, 0, 0]
    root = np.sqrt(np.maximum(half**2 - square * rest, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where((rest > 0) & (A > 0), rest / (half + root), 0.0)
        high = np.where((square > 0) & (B > 0), (half + root) / square, np.inf)
    return low, high
