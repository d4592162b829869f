"""What the number fields of forms take: the bounds of the config's field. Free of Qt."""

from __future__ import annotations

import math

import msgspec

from sae_desktop.limits import limits

MOST_COUNT = 2**53
"""Where a count has no bound of its own: the largest that JSON carries exactly everywhere."""
_BESIDE = 1e-12
"""How near a number may come to a bound that it must not reach."""


def least_count(config: type[msgspec.Struct], field: str) -> int:
    """Return the smallest count a setting may be."""
    found = limits(config, field)
    return math.ceil(found.least) if found is not None and found.least is not None else 0


def decimal_range(config: type[msgspec.Struct], field: str, most: float) -> tuple[float, float]:
    """Return the smallest and the largest number a setting may be.

    `most` is the largest where the setting has no bound of its own.
    """
    found = limits(config, field)
    low, high = 0.0, most
    if found is not None:
        low = found.least if found.least is not None else low
        low = found.above + _BESIDE if found.above is not None else low
        high = min(high, found.most) if found.most is not None else high
        high = min(high, found.below - _BESIDE) if found.below is not None else high
    return low, high
