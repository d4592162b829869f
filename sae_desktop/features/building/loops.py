"""Loops over firings that numpy would need many passes for, compiled by numba.

n firings of a block of f features: feature i has offsets[i] : offsets[i + 1] of rows, which
ascend, and values. A loop takes everything by arguments and calls nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loop that is compiled at its first call, since numba takes a second to load."""
    made: list[Callable[..., Any]] = []

    @wraps(loop)
    def call(*arguments: Any) -> Any:
        if not made:
            import numba

            made.append(numba.njit(nogil=True, cache=True)(loop))
        return made[0](*arguments)

    return call


@compiled
def above(pre_RF: Array, least_F: Array, rows: Array, features: Array, values: Array) -> int:
    """Write where values are above `least_F`, by row, then feature, as many as there is room for.

    Returns how many there are.
    """
    room = len(rows)
    found = 0
    for row in range(pre_RF.shape[0]):
        for feature in range(pre_RF.shape[1]):
            value = pre_RF[row, feature]
            if value > least_F[feature]:
                if found < room:
                    rows[found] = row
                    features[found] = feature
                    values[found] = value
                found += 1
    return found


@compiled
def power_sums(offsets: Array, values: Array, mean: Array, sums: Array) -> None:
    """Write Σ(v − mean)², Σ(v − mean)³ and Σ(v − mean)⁴ of each feature into sums (3, f)."""
    for feature in range(len(offsets) - 1):
        second = third = fourth = 0.0
        for entry in range(offsets[feature], offsets[feature + 1]):
            away = float(values[entry]) - mean[feature]
            square = away * away
            second += square
            third += square * away
            fourth += square * square
        sums[0, feature] = second
        sums[1, feature] = third
        sums[2, feature] = fourth


@compiled
def count_bins(offsets: Array, values: Array, step: Array, counts: Array) -> None:
    """Count values into counts (f, bins) of width step (f,); the last bin is closed."""
    bins = counts.shape[1]
    for feature in range(len(offsets) - 1):
        width = step[feature]
        for entry in range(offsets[feature], offsets[feature + 1]):
            value = float(values[entry])
            place = int(min(value / width, float(bins - 1)))
            # Division rounds; the edges decide.
            if value < place * width:
                place -= 1
            if value >= (place + 1) * width and place < bins - 1:
                place += 1
            counts[feature, place] += 1


@compiled
def add_by_name(
    offsets: Array, values: Array, passage: Array, name: Array, counts: Array, sums: Array
) -> None:
    """Add firings to counts (f, G) and activations to sums (f, G); name −1 counts nowhere."""
    for feature in range(len(offsets) - 1):
        for entry in range(offsets[feature], offsets[feature + 1]):
            own = name[passage[entry]]
            if own >= 0:
                counts[feature, own] += 1
                sums[feature, own] += values[entry]


@compiled
def most_frequent(
    offsets: Array,
    tokens: Array,
    values: Array,
    times: Array,
    total: Array,
    seen: Array,
    ids: Array,
    counts: Array,
    sums: Array,
) -> None:
    """Write the tokens (f, N) each feature fires on most often, the lower one of equals first.

    `times` and `total` are as long as the vocabulary and zero; `seen` is as long.
    """
    kept = ids.shape[1]
    for feature in range(len(offsets) - 1):
        found = 0
        for entry in range(offsets[feature], offsets[feature + 1]):
            token = tokens[entry]
            if times[token] == 0:
                seen[found] = token
                found += 1
            times[token] += 1
            total[token] += values[entry]
        size = 0
        for number in range(found):
            token = seen[number]
            count = times[token]
            place = size
            while place > 0 and (
                counts[feature, place - 1] < count
                or (counts[feature, place - 1] == count and ids[feature, place - 1] > token)
            ):
                place -= 1
            if place < kept:
                size = min(size + 1, kept)
                for later in range(size - 1, place, -1):
                    ids[feature, later] = ids[feature, later - 1]
                    counts[feature, later] = counts[feature, later - 1]
                    sums[feature, later] = sums[feature, later - 1]
                ids[feature, place] = token
                counts[feature, place] = count
                sums[feature, place] = total[token]
        for number in range(found):
            times[seen[number]] = 0
            total[seen[number]] = 0.0


@compiled
def strongest_of_windows(
    offsets: Array,
    rows: Array,
    values: Array,
    starts: Array,
    top: int,
    out: Array,
    out_values: Array,
) -> None:
    """Write the rows (f, top) of the largest activations, one a window, and these.

    Of equal ones the earlier row. `starts` are the first rows of windows, ascending.
    """
    for feature in range(len(offsets) - 1):
        end = offsets[feature + 1]
        size, next_start = 0, -1
        peak_row, peak = -1, np.float32(0.0)
        for entry in range(offsets[feature], end + 1):
            if entry == end or rows[entry] >= next_start:
                place = size
                while place > 0 and out_values[feature, place - 1] < peak:
                    place -= 1
                if peak_row >= 0 and place < top:
                    size = min(size + 1, top)
                    for later in range(size - 1, place, -1):
                        out[feature, later] = out[feature, later - 1]
                        out_values[feature, later] = out_values[feature, later - 1]
                    out[feature, place] = peak_row
                    out_values[feature, place] = peak
                if entry == end:
                    break
                after = np.searchsorted(starts, rows[entry], side="right")
                next_start = starts[after] if after < len(starts) else np.iinfo(np.int64).max
                peak_row, peak = -1, np.float32(0.0)
            if values[entry] > peak:
                peak_row, peak = rows[entry], values[entry]


@compiled
def lowest_chances(
    offsets: Array,
    rows: Array,
    values: Array,
    passage: Array,
    ordinal: Array,
    shift: Array,
    mixed: Array,
    edges: Array,
    chances: Array,
    out: Array,
    out_values: Array,
) -> None:
    """Write the rows (f, B, k) whose chance is lowest in each bucket of activation, and these.

    A chance is twice the step of SplitMix64 (Steele, Lea and Flood 2014): of feature (`mixed`
    (f,)) and document (`ordinal` (P,)), and of that and the place in it (row + `shift` (P,)).
    `chances` (B, k) is room for them. Of equal ones the earlier row.
    """
    buckets, kept = chances.shape
    sizes = np.zeros(buckets, np.int64)
    add, first = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
    second = np.uint64(0x94D049BB133111EB)
    thirty, less, least = np.uint64(30), np.uint64(27), np.uint64(31)
    for feature in range(len(offsets) - 1):
        sizes[:] = 0
        for entry in range(offsets[feature], offsets[feature + 1]):
            value, own = values[entry], passage[entry]
            bucket = 0
            for edge in range(1, buckets):
                bucket += value > edges[feature, edge]
            x = (mixed[feature] ^ ordinal[own]) + add
            x = (x ^ (x >> thirty)) * first
            x = (x ^ (x >> less)) * second
            x = ((x ^ (x >> least)) ^ np.uint64(rows[entry] + shift[own])) + add
            x = (x ^ (x >> thirty)) * first
            x = (x ^ (x >> less)) * second
            x = x ^ (x >> least)
            place = sizes[bucket]
            while place > 0 and chances[bucket, place - 1] > x:
                place -= 1
            if place < kept:
                sizes[bucket] = min(sizes[bucket] + 1, kept)
                for later in range(sizes[bucket] - 1, place, -1):
                    chances[bucket, later] = chances[bucket, later - 1]
                    out[feature, bucket, later] = out[feature, bucket, later - 1]
                    out_values[feature, bucket, later] = out_values[feature, bucket, later - 1]
                chances[bucket, place] = x
                out[feature, bucket, place] = rows[entry]
                out_values[feature, bucket, place] = value
