"""Which places in a text a feature is shown at, and its firings around them. Free of torch.

n firings of a block of features, C slots, B buckets. All choices are the same however the text
was cut into groups, and in whatever order features are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.building.loops import lowest_chances, strongest_of_windows
from sae_desktop.features.config import BucketScheme
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.index_text import IndexText
from sae_desktop.features.reading.layout import OTHER_KIND, TOP_BUCKET

Array = npt.NDArray[Any]

_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Slots:
    """How many contexts of each kind a feature has."""

    top: int
    buckets: int
    per_bucket: int
    scheme: BucketScheme
    seed: int
    reach: int
    """Rows on either side of a chosen one whose firings are kept."""
    other: int = 0
    """Of the kind, pictures or text, of which fewer are among the strongest."""

    @property
    def bucket_of_slot(self) -> Array:
        """(C,) TOP_BUCKET, then the buckets from the top down."""
        order = np.repeat(np.arange(self.buckets, 0, -1), self.per_bucket)
        other = np.full(self.other, OTHER_KIND)
        return np.concatenate([np.full(self.top, TOP_BUCKET), order, other]).astype(np.int8)


def bucket_edges(block: FiringBlock, maxima: Array, slots: Slots) -> Array:
    """Return (features, B + 1) float32: bucket b holds edges[b − 1] < activation ≤ edges[b]."""
    count = slots.buckets
    edges = (maxima[:, None] * np.linspace(0, 1, count + 1)).astype(np.float32)
    if slots.scheme == "quantile":
        order = np.lexsort((block.values, block.features))
        lengths = np.diff(block.offsets)[:, None]
        rank = -(-lengths * np.arange(1, count) // count) - 1  # ceil(b·n/B), from 0
        place = np.minimum(block.offsets[:-1, None] + np.maximum(rank, 0), len(order) - 1)
        if len(order):
            edges[:, 1:-1] = np.where(lengths > 0, block.values[order[place]], 0.0)
    edges[:, -1] = maxima
    return edges


def peaks_of_runs(keys: Array, values: Array) -> Array:
    """Return the places of the largest value of each run of equal keys, the first of equals."""
    if not len(keys):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(keys))))
    at_peak = np.flatnonzero(values == np.maximum.reduceat(values, starts)[run])
    _, first = np.unique(run[at_peak], return_index=True)
    return np.asarray(at_peak[first])


def chosen_rows(
    block: FiringBlock, passage: Array, text: IndexText, edges: Array, slots: Slots
) -> tuple[Array, Array]:
    """Return rows (features, C) int64, −1 for an empty slot, and the activations there.

    The strongest are one a window, or of pictures one a picture: neighbours there mostly fire for
    the same reason.
    `passage` (n,): which passage each firing is in.
    """
    features, top = len(block.offsets) - 1, slots.top
    rows = np.full((features, len(slots.bucket_of_slot)), -1, np.int64)
    values = np.zeros(rows.shape, np.float32)
    rows[:, :top], values[:, :top] = _strongest(block, text, top)
    if slots.per_bucket and slots.buckets:
        drawn, there = _drawn(block, passage, text, edges, slots)
        # From the top bucket down.
        end = top + slots.buckets * slots.per_bucket
        rows[:, top:end] = drawn[:, ::-1].reshape(features, -1)
        values[:, top:end] = there[:, ::-1].reshape(features, -1)
    if slots.other:
        found = _of_other_kind(block, text, rows[:, :top], slots)
        rows[:, -slots.other :], values[:, -slots.other :] = found
    return rows, values


def _strongest(block: FiringBlock, text: IndexText, count: int) -> tuple[Array, Array]:
    shape = len(block.offsets) - 1, count
    found = np.full(shape, -1, np.int64), np.zeros(shape, np.float32)
    strongest_of_windows(
        block.offsets, block.rows, block.values, text.units.astype(np.int64), count, *found
    )
    return found


def _of_other_kind(
    block: FiringBlock, text: IndexText, top: Array, slots: Slots
) -> tuple[Array, Array]:
    """Return (features, other) rows and activations: the strongest of the kind of which fewer are
    among the rows `top` (features, top), those left out that are there."""
    assert text.pictures is not None
    on_picture = text.pictures.on_picture
    at = on_picture[block.rows]
    among = (on_picture[top] & (top >= 0)).sum(axis=1) * 2 < (top >= 0).sum(axis=1)
    count = slots.top + slots.other
    of_pictures = _strongest(block.only(at), text, count)
    of_text = _strongest(block.only(~at), text, count)
    rows = np.where(among[:, None], of_pictures[0], of_text[0])
    values = np.where(among[:, None], of_pictures[1], of_text[1])
    left = (rows < 0) | (rows[:, :, None] == top[:, None, :]).any(axis=2)
    order = np.argsort(left, axis=1, kind="stable")[:, : slots.other]
    rows, values = (np.take_along_axis(x, order, axis=1) for x in (rows, values))
    gone = np.take_along_axis(left, order, axis=1)
    return np.where(gone, -1, rows), np.where(gone, np.float32(0), values)


def _drawn(
    block: FiringBlock, passage: Array, text: IndexText, edges: Array, slots: Slots
) -> tuple[Array, Array]:
    """Return rows (features, B, k), −1 for none, and activations of what chance draws.

    A place's chance depends on seed, feature, document and place in it alone. A picture, which is
    shown whole, is there once: in the bucket of what is strongest in it.
    """
    if text.pictures is not None:
        shown = _strongest_of_pictures(block, text.pictures.picture[block.rows])
        block, passage = block.only(shown), passage[shown]
    shape = len(block.offsets) - 1, slots.buckets, slots.per_bucket
    rows, values = np.full(shape, -1, np.int64), np.zeros(shape, np.float32)
    passages = text.passages
    ordinal = text.documents["ordinal"][passages["document"]].astype(np.uint64)
    of_seed = _mix(np.asarray([slots.seed], np.int64).astype(np.uint64))
    features = np.arange(block.first, block.first + shape[0]).astype(np.uint64)
    lowest_chances(
        block.offsets, block.rows, block.values, passage, ordinal,
        passages["offset"] - passages["first_row"], _mix(of_seed ^ features), edges,
        np.zeros(shape[1:], np.uint64), rows, values,
    )  # fmt: skip
    return rows, values


def _strongest_of_pictures(block: FiringBlock, picture: Array) -> Array:
    """Return (n,) bool: firings on text, and of those on a picture each feature's strongest.

    `picture` (n,): of which each firing is; −1 of text.
    """
    kept = picture < 0
    at = np.flatnonzero(~kept)
    keys = block.features[at] * (picture.max(initial=0) + 1) + picture[at]
    kept[at[peaks_of_runs(keys, block.values[at])]] = True
    return np.asarray(kept)


def _mix(x: Array) -> Array:
    """The step of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def firings_around(
    block: FiringBlock, rows: Array, text: IndexText, reach: int
) -> tuple[Array, Array, Array]:
    """Return counts (features · C,), positions and values float16 around chosen rows: within the
    reach, of one of a picture within that picture."""
    feature, slot = np.nonzero(rows >= 0)
    chosen = rows[feature, slot]
    passage = text.passages[text.passage_of(chosen)]
    low = np.maximum(passage["first_row"], chosen - reach)
    high = np.minimum(passage["first_row"] + passage["length"], chosen + reach + 1)
    if text.pictures is not None:
        low, high = text.pictures.bounds(chosen, low, high)
    keys = (block.features - block.first) * text.rows + block.rows
    first = np.searchsorted(keys, feature * text.rows + low)
    lengths = np.searchsorted(keys, feature * text.rows + high) - first
    before = np.concatenate([[0], np.cumsum(lengths)])
    place = np.arange(before[-1]) + np.repeat(first - before[:-1], lengths)
    counts = np.zeros(rows.size, np.int64)
    counts[feature * rows.shape[1] + slot] = lengths
    positions = block.rows[place] - np.repeat(chosen, lengths)
    return counts, positions, block.values[place].clip(0, _LARGEST).astype(np.float16)
