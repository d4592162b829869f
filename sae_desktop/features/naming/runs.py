"""Places of entries within their runs, for all features at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def place_in_run(keys: Array) -> Array:
    """Return each entry's place in its run of equal keys (n,)."""
    if not len(keys):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))


def sorted_with(keys: Array, places: Array, most: int) -> tuple[Array, Array]:
    """Return keys (n,) ascending and the places that belong to them, ascending for equal keys.

    Keys are whole numbers, places 0 … most − 1. Where 63 bits hold both they are sorted as one
    number, which takes a fraction of what a stable sort does.
    """
    bits = max(most - 1, 0).bit_length()
    fits = len(keys) and keys.min() >= 0 and int(keys.max()).bit_length() + bits <= 63
    if not fits:
        order = np.lexsort((places, keys))
        return keys[order], places[order]
    both = np.sort((keys.astype(np.int64) << bits) | places)
    return both >> bits, both & ((1 << bits) - 1)
