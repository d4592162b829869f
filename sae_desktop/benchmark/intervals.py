"""Intervals of 95% for shares over texts and for means over seeds, without torch.

A share's is Wilson's score interval (1927), which does not shrink to nothing at 0 and 1; texts
that are alike count as one, by Kish's number. The mean of several shares has that of Zou and
Donner (2008), from the ends of the shares' own. A mean over seeds has Student's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.benchmark.config import Figure, Over
from sae_desktop.features.asking.auroc import LEVEL, effective_texts

Array = npt.NDArray[Any]


def share_of(right_N: Array, groups_N: Array | None = None, over: Over = "texts") -> Figure:
    """Return a mean of values between 0 and 1 and its interval.

    groups_N: texts of one number are alike; by default none are. Of values between, the interval
    is wider than it need be.
    """
    from scipy.stats import norm

    share = float(np.mean(right_N))
    n = float(len(right_N)) if groups_N is None else effective_texts(groups_N)
    z = float(norm.ppf((1 + LEVEL) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = max(0.0, centre - float(reach)), min(1.0, centre + float(reach))
    return Figure(value=share, low=low, high=high, over=over)


def mean_of_shares(shares: Sequence[Figure]) -> Figure:
    """Return the mean of shares that were found on different texts."""
    value = float(np.mean([one.value for one in shares]))
    below = np.array([one.value - (one.low or 0.0) for one in shares])
    above = np.array([(1.0 if one.high is None else one.high) - one.value for one in shares])
    down, up = (float(np.sqrt(np.square(part).sum())) / len(shares) for part in (below, above))
    return Figure(value=value, low=value - down, high=value + up, over=shares[0].over)


def mean_over_seeds(values: Sequence[float], *, bounded: bool = False) -> Figure:
    """Return the mean of one value a seed; of a single seed without an interval.

    If `bounded` the values are shares, and the interval is cut to 0 to 1.
    """
    from scipy.stats import t

    value = float(np.mean(values))
    if len(values) < 2:
        return Figure(value=value)
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * spread
    low, high = value - reach, value + reach
    if bounded:
        low, high = max(0.0, low), min(1.0, high)
    return Figure(value=value, low=low, high=high, over="seeds")
