"""Which features a list shows and in which order. Free of Qt.

F features; the answers are arrays of feature numbers, so that a million rows cost a few
milliseconds and no object each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

COLUMNS = ("starred", "feature", "label", "density", "max_activation", "mean_activation")
"""What a list can be sorted by."""
FALLING_FIRST = frozenset({"starred", "density", "max_activation", "mean_activation"})
"""Columns of which one wants the largest on top at the first click."""


@dataclass(frozen=True)
class FeatureFilter:
    """The conditions a feature meets to be listed; the default lists all."""

    text: str = ""
    """Part of the label, or the beginning of the number; case does not matter."""
    least_density: float = 0.0
    """Share of tokens on which the feature fires, 0 to 1, inclusive."""
    most_density: float = 1.0
    alive_only: bool = False
    starred_only: bool = False
    labelled_only: bool = False

    @property
    def lists_all(self) -> bool:
        return self == FeatureFilter()


def matching(
    conditions: FeatureFilter,
    density: Array,
    labels: Mapping[int, str],
    starred: Iterable[int],
) -> Array:
    """Return the numbers of the features that meet the conditions, ascending.

    `density` (F,); `labels` holds only features that have one.
    """
    kept = np.ones(len(density), dtype=bool)
    if conditions.least_density > 0.0:
        kept &= density >= conditions.least_density
    if conditions.most_density < 1.0:
        kept &= density <= conditions.most_density
    if conditions.alive_only:
        kept &= density > 0.0
    if conditions.starred_only:
        kept &= _members(starred, len(density))
    if conditions.labelled_only:
        kept &= _members((f for f, label in labels.items() if label), len(density))
    text = conditions.text.strip().casefold().removeprefix("#")
    if text:
        named = _members((f for f, s in labels.items() if text in s.casefold()), len(density))
        kept &= named | _number_begins(text, len(density))
    return np.flatnonzero(kept)


def _members(features: Iterable[int], count: int) -> Array:
    mask = np.zeros(count, dtype=bool)
    inside = [f for f in features if 0 <= f < count]
    mask[inside] = True
    return mask


def _number_begins(text: str, count: int) -> Array:
    """Mark the numbers below `count` whose decimal digits begin with `text`."""
    mask = np.zeros(count, dtype=bool)
    if not (text.isascii() and text.isdigit()) or (text.startswith("0") and text != "0"):
        return mask
    first, last = int(text), int(text) + 1
    if first == 0:
        mask[:1] = True
        return mask
    while first < count:
        mask[first:last] = True
        first, last = first * 10, last * 10
    return mask


def ordered(
    features: Array,
    column: str,
    falling: bool,
    figures: Mapping[str, Array],
    labels: Mapping[int, str],
    starred: Iterable[int],
) -> Array:
    """Return `features` sorted by a column of COLUMNS; equal ones stay in number order.

    `figures` maps the numeric columns to arrays (F,) of figures that are not negative.
    Features without a label come last whichever way labels are sorted.
    """
    if column == "feature":
        return features[::-1] if falling else features
    if column == "label":
        named = [f for f in features[_members(labels, _span(features))[features]] if labels[f]]
        named.sort(key=lambda f: (labels[f].casefold(), f), reverse=falling)
        rest = features[~_members(named, _span(features))[features]]
        return np.concatenate([np.asarray(named, dtype=features.dtype), rest])
    if column == "starred":
        keys = _members(starred, _span(features))[features].astype(np.uint32)
    else:
        keys = np.asarray(figures[column], dtype=np.float32)[features].view(np.uint32)
    return features[_stable_order(keys, falling)]


def _stable_order(keys: Array, falling: bool) -> Array:
    """Return the order of (n,) uint32 keys, equal ones as they stand.

    The bits of floats that are not negative rise as the floats do; with the place below them
    in one 64-bit number, a plain sort is stable and takes a tenth of a stable argsort's time.
    """
    both = (~keys if falling else keys).astype(np.uint64) << np.uint64(32)
    both |= np.arange(len(keys), dtype=np.uint64)
    both.sort()
    return (both & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _span(features: Array) -> int:
    return int(features.max()) + 1 if len(features) else 0
