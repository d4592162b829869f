"""Intervals of shares. Pure: numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sae_desktop.labels.judging.measures import wilson as _wilson

LEVEL = 0.95
_RESAMPLES = 2000


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


def bootstrap(values: Sequence[float], seed: int = 0, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of a mean over texts that are drawn again."""
    held: Any = np.asarray(values, np.float64)
    if not len(held):
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(0, len(held), size=(_RESAMPLES, len(held)))
    low, high = np.quantile(held[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
