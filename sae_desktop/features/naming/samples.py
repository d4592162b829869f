"""Which places of a text a feature's name is made from and scored on.

n places of a block of features, R rows of text. From all firings where they were kept, drawn from
five ranges of activation alike; otherwise from the kept contexts and the firings around them.
Every place has a weight: strong firings, which say more of a feature, count more than weak ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.runs import place_in_run, sorted_with
from sae_desktop.features.reading.firings import FiringBlock

if TYPE_CHECKING:
    from sae_desktop.features.reading.firing_files import StoredFirings
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

RANGES = 5
PER_RANGE = 90
"""Firings drawn from each range, for the name and its score together."""
_SPARE = 3
_CHANCES = 1 << 24
BLOCK = 256
"""Features looked at together where firings come from contexts; a multiple of the names file's."""
_NEAR = 48
"""Rows on either side of a context of which it is known whether the feature fires there."""
FEW = 8
"""Firings, of which a range has to have as many to count in full."""


@dataclass(frozen=True)
class Places:
    """Places where the features first … first + count − 1 fire."""

    first: int
    count: int
    feature: Array
    """(n,) from 0, ascending."""
    rows: Array
    values: Array
    weights: Array
    """(n,), summing to 1 for each feature."""
    keys: Array
    """(m,) ascending: feature · R + row of all firings that are known, more than are drawn."""
    text_rows: int
    """R."""
    known_all: bool
    """Whether `keys` are all firings there are."""

    def known(self, keys: Array) -> Array:
        """Return (k,) bool, which of feature · R + row are among the firings that are known."""
        if not len(self.keys):
            return np.zeros(len(keys), bool)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.asarray(self.keys[at] == keys)


def places_of_firings(firings: StoredFirings, seed: int, step: int = BLOCK) -> Iterator[Places]:
    """Yield places drawn from all firings, `step` features at a time."""
    rng = np.random.default_rng(seed)
    for first in range(0, firings.features, step):
        last = min(first + step, firings.features)
        block, _ = firings.block(first, last)
        if firings.on_picture is not None:  # names are made of words
            block = block.only(~firings.on_picture[block.rows])
        yield drawn(block, firings.rows, rng)


def drawn(
    block: FiringBlock, text_rows: int, rng: np.random.Generator, *, known_all: bool = True
) -> Places:
    """Return places drawn from a block's firings, as many from each range of activation.

    `known_all`: the block holds all firings of its features on the text.
    """
    count = len(block.offsets) - 1
    feature = block.features - block.first
    largest = np.zeros(count, np.float32)
    np.maximum.at(largest, feature, block.values)
    cell = feature * RANGES + _range_of(block.values, largest[feature])
    sizes = np.bincount(cell, minlength=count * RANGES)
    share = np.minimum(1.0, (_SPARE * PER_RANGE) / np.maximum(sizes, 1))
    kept = np.flatnonzero(rng.random(len(cell), np.float32) < share[cell])
    # Random float32 are whole numbers of 24 bits: cell and number in one are sorted at once.
    chance = (rng.random(len(kept), np.float32) * _CHANCES).astype(np.int64)
    key, order = sorted_with(cell[kept] * _CHANCES + chance, kept, len(cell))
    order = np.sort(order[place_in_run(key // _CHANCES) < PER_RANGE])
    return Places(
        first=block.first, count=count, feature=feature[order], rows=block.rows[order],
        values=block.values[order],
        weights=_weights(feature[order], cell[order] % RANGES, count),
        keys=feature * text_rows + block.rows, text_rows=text_rows, known_all=known_all,
    )  # fmt: skip


def places_of_contexts(index: IndexFile, seed: int, step: int = BLOCK) -> Iterator[Places]:
    """Yield places drawn from the kept contexts and the firings around them."""
    rng = np.random.default_rng(seed)
    for first in range(0, index.features, step):
        yield _around_contexts(index, first, min(first + step, index.features), rng)


def _around_contexts(index: IndexFile, first: int, last: int, rng: np.random.Generator) -> Places:
    arrays, R = index.arrays, index.info.rows
    count = last - first
    chosen = np.asarray(arrays["contexts/row"][first:last], np.int64)
    slots = chosen.shape[1]
    offsets = np.asarray(arrays["contexts/offsets"][first * slots : last * slots + 1], np.int64)
    span = slice(int(offsets[0]), int(offsets[-1]))
    cell = np.repeat(np.arange(count * slots), np.diff(offsets))
    position = np.asarray(arrays["contexts/positions"][span], np.int64)
    near = (np.abs(position) <= _NEAR) & (chosen.ravel()[cell] >= 0)
    rows = (chosen.ravel()[cell] + position)[near]
    values = np.asarray(arrays["contexts/values"][span], np.float32)[near]
    feature = (cell // slots)[near]
    inside = (rows >= 0) & (rows < R) & (values > 0)
    there = chosen >= 0
    if (picture := index.array("picture")) is not None:  # names are made of words
        inside[inside] &= picture[rows[inside]] < 0
        there[there] &= picture[chosen[there]] < 0
    # The chosen ones, too: of imported contexts they may not be among those around.
    feature = np.concatenate([feature[inside], np.nonzero(there)[0]])
    rows = np.concatenate([rows[inside], chosen[there]])
    values = np.concatenate(
        [values[inside], np.asarray(arrays["contexts/activation"][first:last], np.float32)[there]]
    )
    keys, at = np.unique(feature * R + rows, return_index=True)
    feature, rows, values = feature[at], rows[at], values[at]
    largest = np.zeros(count, np.float32)
    np.maximum.at(largest, feature, values)
    of_range = _range_of(values, largest[feature])
    places = feature * RANGES + of_range
    is_chosen = np.isin(keys, (np.nonzero(there)[0] * R + chosen[there]))
    # Those chosen first: around a strong firing stand more that are like it.
    order = np.lexsort((rng.random(len(keys)), ~is_chosen, places))
    kept = np.sort(order[place_in_run(places[order]) < PER_RANGE])
    return Places(
        first=first, count=count, feature=feature[kept], rows=rows[kept], values=values[kept],
        weights=_weights(feature[kept], of_range[kept], count),
        keys=keys, text_rows=R, known_all=False,
    )  # fmt: skip


def _range_of(values: Array, largest: Array) -> Array:
    """Return (n,) which range, from 0, of equal width up to the feature's largest activation."""
    found = np.floor(values / np.maximum(largest, 1e-30) * RANGES).astype(np.int64)
    return found.clip(0, RANGES - 1)


def _weights(feature: Array, of_range: Array, count: int) -> Array:
    """Return weights (n,) that sum to 1 for each feature: a range of activation counts by how
    strong it is, one of few firings by how many it has."""
    cell = feature * RANGES + of_range
    sizes = np.bincount(cell, minlength=count * RANGES)
    mass = (np.arange(RANGES) + 0.5)[of_range] * np.minimum(sizes[cell] / FEW, 1.0) / sizes[cell]
    return normalised(feature, mass, count)


def normalised(feature: Array, weights: Array, count: int) -> Array:
    """Return weights that sum to 1 for each feature, of some of its places."""
    total = np.bincount(feature, weights, count)
    return np.asarray(weights / np.maximum(total[feature], 1e-30))
