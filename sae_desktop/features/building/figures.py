"""Figures of a block of features, computed from their firings. Free of torch.

n firings of f features; all sums in float64, row after row, so that they do not depend on how
the text was cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.building.contexts import peaks_of_runs
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.index_text import IndexText, Names
from sae_desktop.features.reading.layout import BINS

Array = npt.NDArray[Any]

TOKENS = 10
"""Tokens kept of those on which a feature fires most often."""


def _by_feature(block: FiringBlock, values: Array, reduce: np.ufunc) -> Array:
    """Reduce values (n,) to one number a feature, 0 for a silent one."""
    out = np.zeros(len(block.offsets) - 1, values.dtype)
    alive = np.flatnonzero(np.diff(block.offsets))
    if len(alive):
        out[alive] = reduce.reduceat(values, block.offsets[alive])
    return out


def moments(block: FiringBlock, rows: int) -> dict[str, Array]:
    """Return density, firings, maximum, mean, std, skewness and kurtosis by column name."""
    counts = np.diff(block.offsets)
    many = np.maximum(counts, 1)
    values = block.values.astype(np.float64)
    mean = _by_feature(block, values, np.add) / many
    away = values - np.repeat(mean, counts)
    square = away * away
    # Products: numpy's powers of 3 and 4 take ten times as long.
    second, third, fourth = (
        _by_feature(block, power, np.add) / many
        for power in (square, square * away, square * square)
    )
    # Where all are equal, what is left of the differences is rounding.
    varies = second > (1e-7 * mean) ** 2
    safe = np.where(varies, second, 1.0)
    columns = {
        "density": counts / max(rows, 1),
        "max_activation": _by_feature(block, block.values, np.maximum),
        "mean_activation": mean,
        "std_activation": np.sqrt(np.where(varies, second, 0.0)),
        "skewness": np.where(varies, third / safe**1.5, 0.0),
        "kurtosis": np.where(varies, fourth / safe**2 - 3, 0.0),
    }
    return {name: found.astype(np.float32) for name, found in columns.items()} | {
        "firings": counts.astype(np.int64)
    }


def histogram(block: FiringBlock, maxima: Array) -> Array:
    """Return counts (f, BINS), bins linear from 0 to the maximum, the last one closed."""
    local = block.features - block.first
    step = maxima.astype(np.float64) / BINS
    values = block.values.astype(np.float64)
    bins = np.minimum(values / step[local], BINS - 1).astype(np.int64)
    # Division rounds; the edges decide.
    bins -= values < bins * step[local]
    bins += (values >= (bins + 1) * step[local]) & (bins < BINS - 1)
    cells = np.bincount(local * BINS + bins, minlength=len(maxima) * BINS)
    return cells.reshape(len(maxima), BINS).astype(np.uint32)


def name_counts(block: FiringBlock, passage: Array, names: Names) -> Array:
    """Return firings (f, G) by language or source."""
    number = names.of_passage[passage]
    cell = (block.features - block.first) * len(names.names) + number
    size = (len(block.offsets) - 1) * len(names.names)
    cells = np.bincount(cell[number >= 0], minlength=size)
    return cells.reshape(-1, len(names.names)).astype(np.uint32)


def name_sums(block: FiringBlock, passage: Array, names: Names) -> Array:
    """Return the activation (f, G) by language or source, summed over its firings there."""
    number = names.of_passage[passage]
    inside = number >= 0
    cell = (block.features - block.first) * len(names.names) + number
    size = (len(block.offsets) - 1) * len(names.names)
    cells = np.bincount(cell[inside], weights=block.values[inside], minlength=size)
    return cells.reshape(-1, len(names.names)).astype(np.float32)


def most_of(counts: Array, sums: Array, columns: dict[str, Array]) -> dict[str, Array]:
    """Return the language or source that holds most of the activation, and its shares.

    counts and sums (f, G) of firings and activation; `columns` as of `moments`. Returns the
    number, −1 for none, the share of all firings and that of all activation, (f,) each.
    """
    rows, best = np.arange(len(sums)), sums.argmax(axis=1)
    largest = sums[rows, best]
    return {
        "": np.where(largest > 0, best, -1).astype(np.int32),
        "_share": share_of(counts[rows, best], columns["firings"]),
        "_activation": share_of(largest, total_activation(columns)),
    }


def total_activation(columns: dict[str, Array]) -> Array:
    """Return the summed activation (f,) from what `moments` returns."""
    return columns["mean_activation"].astype(np.float64) * columns["firings"]


def share_of(part: Array, whole: Array) -> Array:
    """Return part / whole (f,) float32, 0 of nothing, and never more than 1 by rounding."""
    shares = part / np.where(whole > 0, whole, 1)
    return np.minimum(shares, 1.0).astype(np.float32)


def firing_tokens(block: FiringBlock, tokens: Array) -> tuple[Array, Array, Array]:
    """Return ids, counts and summed activations (f, TOKENS) of the tokens it fires on most often.

    Id −1: it fires on fewer.
    """
    features = len(block.offsets) - 1
    ids = np.full((features, TOKENS), -1, np.int32)
    counts = np.zeros((features, TOKENS), np.uint32)
    sums = np.zeros((features, TOKENS), np.float32)
    keys = ((block.features - block.first) << 32) | tokens.astype(np.int64)
    by_key = np.argsort(keys, kind="stable")
    keys = keys[by_key]
    if not len(keys):
        return ids, counts, sums
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    summed = np.add.reduceat(block.values[by_key].astype(np.float64), starts)
    found = np.diff(np.append(starts, len(keys)))
    feature, token = keys[starts] >> 32, keys[starts] & 0xFFFFFFFF
    order = np.lexsort((token, -found, feature))
    feature, token, found, summed = feature[order], token[order], found[order], summed[order]
    first = np.searchsorted(feature, np.arange(features))
    rank = np.arange(len(feature)) - first[feature]
    kept = rank < TOKENS
    ids[feature[kept], rank[kept]] = token[kept]
    counts[feature[kept], rank[kept]] = found[kept]
    sums[feature[kept], rank[kept]] = summed[kept]
    return ids, counts, sums


def aligned_peaks(
    block: FiringBlock, passage: Array, text: IndexText
) -> tuple[Array, Array, Array, Array]:
    """Return counts (f,) and documents, rows, maxima (m,): where each fires most in each
    document that has a translation."""
    document = text.passages["document"][passage]
    inside = np.flatnonzero(text.is_aligned[document])
    keys = (block.features - block.first)[inside] * len(text.documents) + document[inside]
    order = np.argsort(keys, kind="stable")
    peaks = inside[order][peaks_of_runs(keys[order], block.values[inside][order])]
    counts = np.bincount(block.features[peaks] - block.first, minlength=len(block.offsets) - 1)
    return (
        counts.astype(np.int64),
        document[peaks].astype(np.int32),
        block.rows[peaks],
        block.values[peaks],
    )


def window_start_share(block: FiringBlock, text: IndexText, firings: Array) -> Array:
    """Return (features,) the share of each feature's firings on the first row of a window."""
    local = block.features - block.first
    found = np.bincount(local, text.begins_window[block.rows], len(block.offsets) - 1)
    return np.asarray((found / np.maximum(firings, 1)).astype(np.float32))
