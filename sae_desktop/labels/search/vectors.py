"""Vectors of eight bits per number, and the nearest of them: usearch reads them where they lie.

N vectors of D numbers. Cosines need no more than the direction, so each vector is scaled until
its largest number is 127: of the ten nearest among a million, 9.9 stay the same. All N are
compared with each question. A graph over them answers faster, but takes minutes to build, misses
some of the nearest, and cannot say which of the features that meet a condition are nearest.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from usearch.index import MetricKind, search

Array = npt.NDArray[Any]

_MOST_THREADS = 8
_FEW = 4
"""Where fewer than one in so many vectors are in question, these are copied together."""


def rounded(vectors: Array) -> Array:
    """Return (n, D) int8 of the same directions as (n, D) float vectors."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    scaled: Array = np.round(vectors * (127.0 / np.maximum(largest, 1e-12)))
    return scaled.astype(np.int8)


def nearest(
    vectors: Array, asked: Array, count: int, among: Array | None = None
) -> tuple[Array, Array]:
    """Return ((n,) places, (n,) cosines) of the nearest vectors, the nearest first.

    `vectors` (N, D) int8, in memory or mapped; `asked` (D,) float; `among` (N,) bool says which
    are in question.
    """
    question = rounded(asked[None])[0]
    if among is None:
        return _nearest(vectors, question, min(count, len(vectors)))
    places = np.flatnonzero(among)
    if _FEW * len(places) < len(vectors):
        found, cosines = _nearest(vectors[places], question, min(count, len(places)))
        return places[found], cosines
    taken = min(count, len(places))
    while True:
        found, cosines = _nearest(vectors, question, min(taken, len(vectors)))
        kept = among[found]
        if kept.sum() >= min(count, len(places)) or taken >= len(vectors):
            return found[kept][:count], cosines[kept][:count]
        taken *= 4


def _nearest(vectors: Array, question: Array, count: int) -> tuple[Array, Array]:
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    found = search(vectors, question, count, MetricKind.Cos, exact=True, threads=threads)
    return np.asarray(found.keys).astype(np.int64), 1.0 - np.asarray(found.distances)


def cosines(vectors: Array, asked: Array) -> Array:
    """Return (n,) float32, the cosines of a few (n, D) int8 vectors with `asked` (D,)."""
    plain = np.asarray(vectors, np.float32)
    lengths = np.maximum(np.linalg.norm(plain, axis=1), 1e-12)
    return np.asarray((plain @ asked) / lengths / max(float(np.linalg.norm(asked)), 1e-12))
