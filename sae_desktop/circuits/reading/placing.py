"""Where the nodes of a graph stand: a column a token, a row a layer. Free of Qt.

Nodes of one token and layer are stacked in their cell, the most influential first. Columns and
rows are as wide and high as what stands in them; those without nodes are thin, so that a prompt
of many tokens with few nodes is not mostly empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

GAP = 8.0
"""Between nodes of a cell."""
CELL_GAP = 20.0
"""Between columns with nodes."""
ROW_GAP = 34.0
"""Between rows with nodes: room for the curves to turn."""
EMPTY_COLUMN = 26.0
EMPTY_ROW = 14.0
_MOST_ROW, _MOST_COLUMN = 150.0, 90.0
"""What a row and a column with nodes may gain, to fill a view of another shape."""
_EMPTY_GAIN = 0.25
_MOST_STACKED = 24


@dataclass(frozen=True)
class Box:
    """The size of a node, in pixels at zoom 1."""

    width: float = 148.0
    height: float = 26.0
    token: float = 64.0
    """The width of a token of the prompt: most columns have nothing but that."""


@dataclass(frozen=True, eq=False)
class Placing:
    """Middles of nodes; edges of columns (T+1) from the left, of rows (R+1) from the top.

    Row 0 is the topmost: the logits; the last is that of the embeddings.
    """

    x: Array
    y: Array
    columns: Array
    rows: Array
    box: Box

    @property
    def width(self) -> float:
        return float(self.columns[-1])

    @property
    def height(self) -> float:
        return float(self.rows[-1])

    def column_at(self, x: float) -> int:
        """Return the token's column at a place; the nearest beyond the ends."""
        found = int(np.searchsorted(self.columns, x, side="right")) - 1
        return min(max(found, 0), len(self.columns) - 2)

    def width_of(self, token: bool) -> float:
        """Return the width of a node's box: of a token of the prompt, or of any other."""
        return self.box.token if token else self.box.width

    def nearest(self, x: float, y: float, shown: Array) -> int | None:
        """Return the shown node whose box has the place within it."""
        candidates = np.flatnonzero(
            shown
            & (np.abs(self.x - x) <= self.box.width / 2)
            & (np.abs(self.y - y) <= self.box.height / 2)
        )
        return int(candidates[0]) if len(candidates) else None


def place(
    layer: Array,
    position: Array,
    influence: Array,
    shown: Array,
    *,
    tokens: int,
    layers: int,
    box: Box,
    aspect: float = 1.6,
) -> Placing:
    """Place the nodes that are `shown` (N,) so that the whole fits best into a view.

    `layer` (N,) is −1 for embeddings and `layers` for logits; `aspect` is the view's width over
    its height. Nodes that are not shown stand at NaN.
    """
    row = layers - layer.astype(np.int64)
    cells = row * tokens + position
    counts = np.bincount(cells[shown], minlength=(layers + 2) * tokens)
    counts = counts.reshape(layers + 2, tokens)
    stack = _best_stack(counts, box, aspect)
    abreast, high = _cells(counts, stack)
    columns = _columns(counts, abreast, box)
    rows = _edges(high, box.height, ROW_GAP, EMPTY_ROW)
    columns, rows = _filled(columns, rows, abreast > 0, high > 0, aspect)
    x, y = np.full(len(layer), np.nan), np.full(len(layer), np.nan)
    chosen = np.flatnonzero(shown)
    order = chosen[np.lexsort((-influence[chosen], cells[chosen]))]
    # The how-manieth of its cell each is.
    in_cell = cells[order]
    first = np.r_[0, np.flatnonzero(np.diff(in_cell)) + 1] if len(order) else np.empty(0, int)
    sizes = np.diff(np.r_[first, len(order)])
    rank = np.arange(len(order)) - np.repeat(first, sizes)
    count = np.repeat(sizes, sizes)
    at_row, at_column = row[order], position[order]
    # Stacks are filled one after another, each from its top; all are centred in their cell.
    depth = np.ceil(count / np.ceil(count / stack)).astype(np.int64)
    wide = np.ceil(count / depth)
    middle_x = (columns[at_column] + columns[at_column + 1]) / 2
    middle_y = (rows[at_row] + rows[at_row + 1]) / 2
    x[order] = middle_x + (rank // depth - (wide - 1) / 2) * (box.width + GAP)
    y[order] = middle_y + (rank % depth - (depth - 1) / 2) * (box.height + GAP)
    return Placing(x, y, columns, rows, box)


def _cells(counts: Array, stack: int) -> tuple[Array, Array]:
    """Return how many stand abreast in each column, and above one another in each row."""
    wide = np.ceil(counts / stack)
    depth = np.ceil(counts / np.maximum(wide, 1))
    return wide.max(axis=0), depth.max(axis=1)


def _edges(numbers: Array, size: float, gap: float, empty: float) -> Array:
    extents = np.where(numbers > 0, numbers * (size + GAP) - GAP + gap, empty)
    return np.asarray(np.r_[0.0, np.cumsum(extents)])


def _columns(counts: Array, abreast: Array, box: Box) -> Array:
    """Return the edges of the columns; those with a token alone are as wide as a token."""
    above = counts[:-1].sum(axis=0) > 0
    edges = _edges(abreast, box.width, CELL_GAP, EMPTY_COLUMN)
    widths = np.where(~above & (abreast > 0), box.token + CELL_GAP / 2, np.diff(edges))
    return np.asarray(np.r_[0.0, np.cumsum(widths)])


def _filled(
    columns: Array, rows: Array, wide: Array, high: Array, aspect: float
) -> tuple[Array, Array]:
    """Return the edges moved apart where the drawing is lower, or narrower, than the view."""
    width, height = float(columns[-1]), float(rows[-1])
    if width / aspect > height:
        return columns, _spread(rows, high, width / aspect - height, _MOST_ROW)
    return _spread(columns, wide, height * aspect - width, _MOST_COLUMN), rows


def _spread(edges: Array, filled: Array, extra: float, most: float) -> Array:
    shares = np.where(filled, 1.0, _EMPTY_GAIN)
    gain = min(extra / max(float(shares.sum()), 1.0), most)
    return np.asarray(np.r_[0.0, np.cumsum(np.diff(edges) + gain * shares)])


def _best_stack(counts: Array, box: Box, aspect: float) -> int:
    """Return how many nodes may stand above one another, so that the whole is seen largest."""
    best, largest = 1, 0.0
    for stack in range(1, min(max(int(counts.max(initial=1)), 1), _MOST_STACKED) + 1):
        wide, high = _cells(counts, stack)
        width = _columns(counts, wide, box)[-1]
        height = _edges(high, box.height, ROW_GAP, EMPTY_ROW)[-1]
        scale = min(aspect / width, 1.0 / height)
        if scale > largest * 1.001:
            best, largest = stack, scale
    return best
