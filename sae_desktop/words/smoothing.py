"""Smoothing of curves. Free of Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def smoothed(values: Array, weight: float) -> Array:
    """Return the exponential moving average of `values` (points,), of past points only.

    `weight` (0 ≤ weight < 1) is what the past keeps at each point; 0 returns the values. The
    start is debiased: each value is a weighted mean of the points so far, whose weights add up
    to 1. Raises ValueError for a weight out of range.
    """
    if not 0.0 <= weight < 1.0:
        raise ValueError(f"a weight of {weight} is not in [0, 1)")
    if weight == 0.0 or not len(values):
        return np.asarray(values, dtype=float)
    out, mean, total = np.empty(len(values)), 0.0, 0.0
    for place, value in enumerate(np.asarray(values, dtype=float).tolist()):
        mean = weight * mean + (1.0 - weight) * value
        total = weight * total + (1.0 - weight)
        out[place] = mean / total
    return out
