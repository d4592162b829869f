"""The curves of a graph's edges: which are drawn, how strong, where. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.circuits.reading.placing import Placing

Array = npt.NDArray[Any]

MOST_DRAWN = 400
"""Curves of the whole graph at most: more are a grey web, and those of one node show all."""
LEVELS = 6
"""Strengths of a curve that the eye tells apart."""
PIECES = 8
"""Of a curve: of one that crosses the whole drawing, a view paints those within it alone."""
_BEND = 0.45
"""Of the way upwards, how far a curve leaves straight before it turns."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Edges as cubic curves: `points` (E, 4, 2), weakest first; `level` 0 (faint) … 5.

    `edge` (E,) is each one's number in the graph.
    """

    edge: Array
    points: Array
    level: Array
    positive: Array
    pieces: Array
    """(E, PIECES, 4, 2): each curve cut into as many, from its source on."""
    boxes: Array
    """(E, PIECES, 4): left, top, right, bottom of each piece."""

    def __len__(self) -> int:
        return len(self.edge)

    def within(self, left: float, top: float, right: float, bottom: float) -> Array:
        """Return which pieces may touch a rectangle, (E, PIECES) bool."""
        b = self.boxes
        return np.asarray(
            (b[..., 0] <= right) & (b[..., 2] >= left) & (b[..., 1] <= bottom) & (b[..., 3] >= top)
        )


def strongest(importance: Array, shown: Array, most: int = MOST_DRAWN) -> Array:
    """Return the numbers of the most important of the edges that are `shown` (E,)."""
    candidates = np.flatnonzero(shown)
    if len(candidates) > most:
        part = np.argpartition(importance[candidates], len(candidates) - most)
        candidates = candidates[part[-most:]]
    return candidates


def make_curves(
    placing: Placing,
    sources: Array,
    targets: Array,
    weights: Array,
    chosen: Array,
    importance: Array,
) -> Curves:
    """Return the curves of the `chosen` edges, given as numbers into (E,) arrays.

    A curve leaves the top of its source and comes to the foot of its target.
    """
    order = chosen[np.argsort(importance[chosen], kind="stable")]
    start, end = sources[order], targets[order]
    half = placing.box.height / 2
    x0, y0 = placing.x[start], placing.y[start] - half
    x1, y1 = placing.x[end], placing.y[end] + half
    keep = np.isfinite(x0) & np.isfinite(x1)
    order, x0, y0, x1, y1 = order[keep], x0[keep], y0[keep], x1[keep], y1[keep]
    bend = np.maximum(np.abs(y0 - y1) * _BEND, half)
    points = np.stack(
        [
            np.stack([x0, y0], axis=1),
            np.stack([x0, y0 - bend], axis=1),
            np.stack([x1, y1 + bend], axis=1),
            np.stack([x1, y1], axis=1),
        ],
        axis=1,
    )
    pieces = _cut(points)
    boxes = np.concatenate([pieces.min(axis=2), pieces.max(axis=2)], axis=2)
    return Curves(order, points, levels(importance[order]), weights[order] > 0, pieces, boxes)


def _cut(points: Array) -> Array:
    """Return cubic curves (E, 4, 2) in pieces, each with control points of its own.

    The point of a piece's blossom at (a, b, c) is its control point: (s, s, s), (s, s, e),
    (s, e, e), (e, e, e) for a piece from s to e.
    """
    start = np.arange(PIECES) / PIECES
    end = start + 1 / PIECES

    def blossom(*at: Array) -> Array:
        left = points[:, None]
        for t in at:
            left = left[:, :, :-1] * (1 - t[:, None, None]) + left[:, :, 1:] * t[:, None, None]
        return left[:, :, 0]

    corners = (
        blossom(start, start, start), blossom(start, start, end),
        blossom(start, end, end), blossom(end, end, end),
    )  # fmt: skip
    return np.stack(corners, axis=2)


def levels(importance: Array) -> Array:
    """Return the level (0 … 5) of each, by its size beside the largest: the root of its share.

    Sizes spread over decades; the root leaves the strongest apart and the faint in sight.
    """
    most = float(importance.max(initial=0.0))
    if most <= 0:
        return np.zeros(len(importance), dtype=np.int64)
    share = np.sqrt(np.clip(importance / most, 0.0, 1.0))
    return np.minimum((share * LEVELS).astype(np.int64), LEVELS - 1)


def width_of(level: int) -> float:
    """Return the width of a curve in pixels of the view."""
    return (0.8, 1.1, 1.5, 2.0, 2.7, 3.6)[level]


def opacity_of(level: int) -> float:
    """Return how opaque a curve of the whole graph is."""
    return (0.2, 0.28, 0.38, 0.5, 0.62, 0.75)[level]
