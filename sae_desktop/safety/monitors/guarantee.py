"""A threshold with a promise: at most a share α of ordinary units fires, as far as n blocks tell.

A block is what is drawn by itself: a document, a conversation. Tokens of one document, and messages
of one conversation, depend on one another, so that however many they are, they are one draw. What
is promised is R(t), the chance that a unit drawn from a block drawn at random scores above t:
the mean over blocks of a block's share of firing units.

`bound`: with a confidence of 1 − δ over the calibration text, R(t) ≤ α. Of blocks of one unit each
that is the upper bound of Clopper and Pearson (1934). Of blocks of several, shares lie between 0
and 1, and the bound is that of Hoeffding and Bentkus, as in Bates et al. 2021 and Angelopoulos et
al. 2021: P(Σ shares ≤ s) ≤ min(exp(−n·kl(s/n, α)), e·P(Bin(n, α) ≤ ⌈s⌉)). R falls with t, so the
lowest threshold whose bound holds keeps the promise (Bates et al. 2021, theorem 1).

`conformal`: on average over calibration texts, R(t) ≤ α: split conformal prediction (Vovk et al.
2005); of blocks of several units, conformal risk control (Angelopoulos et al. 2022). It needs less
text and promises less: of single calibrations about half are above α.

A unit fires where its score is above the threshold, never where it equals it, so that scores that
tie cannot break the promise. Pure: numbers in, numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.safety.monitors.config import Method

Array = npt.NDArray[Any]

_HALVINGS = 60
_ROUNDING = 1e-9
"""Sums of thirds and sevenths end a little off whole numbers."""


class Threshold(NamedTuple):
    """What calibration found."""

    value: float
    """A unit fires above it."""
    blocks: int
    units: int
    firing: float
    """Σ over blocks of their share of firing units: of n blocks of one unit, how many fire."""
    bound: float
    """Upper bound of the false-positive rate, with the confidence or on average as promised."""


class TooShortError(ValueError):
    """Too few blocks for the promise."""

    def __init__(self, blocks: int, needed: int) -> None:
        super().__init__(f"{blocks} blocks where {needed} are needed")
        self.blocks, self.needed = blocks, needed


def least_blocks(rate: float, delta: float, method: Method) -> int:
    """Return how many blocks the promise takes where none of them fires."""
    if method == "conformal":
        return math.ceil(1 / rate - 1 - _ROUNDING)
    return math.ceil(math.log(delta) / math.log1p(-rate) - _ROUNDING)


def most_single(blocks: int, rate: float, delta: float) -> int:
    """Return of how many blocks, of one unit each, it may fire; −1: there are too few of them.

    The largest k with P(Bin(blocks, rate) ≤ k) ≤ delta.
    """
    log_rate, log_rest = math.log(rate), math.log1p(-rate)
    below = 0.0
    for k in range(math.floor(rate * blocks) + 1):
        ways = math.lgamma(blocks + 1) - math.lgamma(k + 1) - math.lgamma(blocks - k + 1)
        below += math.exp(ways + k * log_rate + (blocks - k) * log_rest)
        if below > delta:
            return k - 1
    return math.floor(rate * blocks)


def choose(
    blocks: Sequence[Array], rate: float, delta: float, method: Method = "bound"
) -> Threshold:
    """Return the lowest threshold among the scores that keeps the promise.

    `blocks`: the scores of the units of each. Blocks without a unit are left out. Raises
    TooShortError, and ValueError for a score that is not a number.
    """
    held = [np.asarray(block, np.float64) for block in blocks if len(block)]
    count = len(held)
    needed = least_blocks(rate, delta, method)
    if count < needed:
        raise TooShortError(count, needed)
    scores = np.concatenate(held)
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    single = all(len(block) == 1 for block in held)
    most = _most_firing(count, rate, delta, method, single=single)
    weights = np.concatenate([np.full(len(block), 1 / len(block)) for block in held])
    values, firing = _firing_above(scores, weights)
    place = int(np.flatnonzero(firing <= most + _ROUNDING)[0])
    return Threshold(
        float(values[place]), count, len(scores), float(firing[place]),
        bound(float(firing[place]), count, delta, method, single=single),
    )  # fmt: skip


def bound(firing: float, blocks: int, delta: float, method: Method, *, single: bool) -> float:
    """Return the upper bound of R where the shares of `blocks` blocks sum up to `firing`."""
    if method == "conformal":
        return min((firing + 1) / (blocks + 1), 1.0)
    low, high = firing / blocks, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _chance(firing, blocks, middle, single=single) <= delta:
            high = middle
        else:
            low = middle
    return high


def firing_share(blocks: Sequence[Array], threshold: float) -> float:
    """Return the mean over blocks of their share of units above a threshold."""
    shares = [float((np.asarray(block) > threshold).mean()) for block in blocks if len(block)]
    return float(np.mean(shares)) if shares else math.nan


def _firing_above(scores: Array, weights: Array) -> tuple[Array, Array]:
    """Return the scores that occur, ascending, and the weight of those above each."""
    values, inverse = np.unique(scores, return_inverse=True)
    held = np.bincount(inverse, weights=weights, minlength=len(values))
    above = np.cumsum(held[::-1])[::-1]
    return values, np.append(above[1:], 0.0)


def _most_firing(count: int, rate: float, delta: float, method: Method, *, single: bool) -> float:
    """Return up to which sum of shares the promise holds; at least 0 where there are enough."""
    if method == "conformal":
        return max(rate * (count + 1) - 1, 0.0)
    if single:
        return float(max(most_single(count, rate, delta), 0))
    low, high = 0.0, rate * count
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _chance(middle, count, rate, single=False) <= delta:
            low = middle
        else:
            high = middle
    return low


def _chance(firing: float, count: int, rate: float, *, single: bool) -> float:
    """Return a bound of the chance of no more than `firing` where R is `rate`."""
    from scipy.stats import binom

    if rate >= 1.0:
        return 0.0 if firing < count else 1.0
    if single:
        return float(binom.cdf(math.floor(firing + _ROUNDING), count, rate))
    bentkus = math.e * float(binom.cdf(math.ceil(firing - _ROUNDING), count, rate))
    share = firing / count
    hoeffding = math.exp(-count * _divergence(share, rate)) if share <= rate else 1.0
    return min(hoeffding, bentkus, 1.0)


def _divergence(share: float, rate: float) -> float:
    """Return the divergence of Bernoulli distributions, kl(share, rate)."""
    found = 0.0
    if share > 0:
        found += share * math.log(share / rate)
    if share < 1:
        found += (1 - share) * math.log((1 - share) / (1 - rate))
    return found
