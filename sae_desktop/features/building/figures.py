"""Figures of a block of features, computed from their firings. Free of torch.

n firings of f features; all sums in float64, row after row, so that they do not depend on how
the text was cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.building.contexts import peaks_of_runs
from sae_desktop.features.building.loops import (
    add_by_name,
    count_bins,
    most_frequent,
    power_sums,
)
from sae_desktop.features.reading.columns import BOTH, BOTH_FROM, MODALITIES
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
    sums = np.zeros((3, len(counts)))
    power_sums(block.offsets, block.values, mean, sums)
    second, third, fourth = sums / many
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
    counts = np.zeros((len(maxima), BINS), np.uint32)
    count_bins(block.offsets, block.values, maxima.astype(np.float64) / BINS, counts)
    return counts


def by_name(block: FiringBlock, passage: Array, names: Names) -> tuple[Array, Array]:
    """Return firings and their summed activation (f, G) by language or source."""
    shape = len(block.offsets) - 1, len(names.names)
    counts, sums = np.zeros(shape, np.uint32), np.zeros(shape)
    add_by_name(block.offsets, block.values, passage, names.of_passage, counts, sums)
    return counts, sums.astype(np.float32)


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


def by_kind(block: FiringBlock, on_picture: Array, firings: Array) -> dict[str, Array]:
    """Return firings on pictures and on text, the share on pictures and the kind, (f,) each.

    `on_picture` (R,): which rows are tokens of pictures. The kind counts densities, so that a text
    of few pictures is no reason to say that a feature does not fire on them.
    """
    local = block.features - block.first
    on = np.bincount(local[on_picture[block.rows]], minlength=len(firings)).astype(np.int64)
    off = firings - on
    rows = int(on_picture.sum())
    densities = on / max(rows, 1), off / max(len(on_picture) - rows, 1)
    kind = np.where(densities[0] > densities[1], 0, 1)
    both = np.minimum(*densities) >= BOTH_FROM * np.maximum(*densities)
    kind = np.where(both, MODALITIES.index(BOTH), kind)
    return {
        "picture_firings": on,
        "text_firings": off,
        "picture_share": share_of(on, firings),
        "modality": np.where(firings > 0, kind, -1).astype(np.int32),
    }


def firing_tokens(block: FiringBlock, tokens: Array) -> tuple[Array, Array, Array]:
    """Return ids, counts and summed activations (f, TOKENS) of the tokens it fires on most often.

    Id −1: it fires on fewer.
    """
    features = len(block.offsets) - 1
    ids = np.full((features, TOKENS), -1, np.int32)
    counts = np.zeros((features, TOKENS), np.uint32)
    sums = np.zeros((features, TOKENS), np.float32)
    size = int(tokens.max(initial=-1)) + 1
    work = np.zeros(size, np.int64), np.zeros(size), np.zeros(size, np.int32)
    found = np.zeros(sums.shape)
    most_frequent(block.offsets, tokens, block.values, *work, ids, counts, found)
    return ids, counts, found.astype(np.float32)


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
