"""Intervals of shares. Pure: numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sae_desktop.labels.judging.measures import bootstrap_mean
from sae_desktop.labels.judging.measures import wilson as _wilson

LEVEL = 0.95


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return the score interval of 95% of a share (Wilson 1927); 0 to 1 of none."""
    if of == 0:
        return 0.0, 1.0
    found = _wilson(right, of)
    return found.low, found.high


def exact(right: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of a share by Clopper and Pearson (1934); 0 to 1 of none."""
    from scipy.stats import beta

    half = (1 - level) / 2
    low = float(beta.ppf(half, right, of - right + 1)) if right else 0.0
    high = float(beta.ppf(1 - half, right + 1, of - right)) if right < of else 1.0
    return low, high


def mean_of_shares(shares: Sequence[float]) -> tuple[float, float]:
    """Return the interval of 95% of the mean of documents' shares, documents drawn again."""
    if not len(shares):
        return 0.0, 1.0
    found = bootstrap_mean(np.asarray(shares, np.float64), 1.0)
    return found.low, found.high
