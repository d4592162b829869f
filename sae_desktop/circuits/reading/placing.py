"""Where the nodes of a graph stand: a column a token, a row a layer. Free of Qt.

Nodes of one token and layer are stacked in their cell, the most influential first. Columns and
rows are as wide and high as what stands in them; those without nodes are thin, so that a prompt
of many tokens with few nodes is not mostly empty. The next tokens, at the top, have room for
their names at any zoom: from the last token's column they go to the left, the likeliest first.
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
_LOGIT_GAP, _LOGIT_ROW_GAP = 64.0, 44.0
"""Between next tokens: their names are larger than their boxes when the whole graph is seen."""
_BELOW_LOGITS = 56.0
"""Room for curves that turn towards next tokens far from their column."""
_LOGIT_ROWS = 3
"""Rows of next tokens at most."""


@dataclass(frozen=True)
class Box:
    """The size of a node, in pixels at zoom 1."""

    width: float = 148.0
    height: float = 26.0
    token: float = 64.0
    """The width of a token of the prompt: most columns have nothing but that."""
    logit: float = 228.0
    """The width of a next token, whose box shows its probability, too."""


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
    widths: Array
    """(N,) of the nodes' boxes."""

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

    def nearest(self, x: float, y: float, shown: Array) -> int | None:
        """Return the shown node whose box has the place within it."""
        candidates = np.flatnonzero(
            shown
            & (np.abs(self.x - x) <= self.widths / 2)
            & (np.abs(self.y - y) <= self.box.height / 2)
        )
        return int(candidates[0]) if len(candidates) else None


def place(
    layer: Array,
    position: Array,
    weight: Array,
    shown: Array,
    *,
    tokens: int,
    layers: int,
    box: Box,
    aspect: float = 1.6,
) -> Placing:
    """Place the nodes that are `shown` (N,) so that the whole fits best into a view.

    `layer` (N,) is −1 for embeddings and `layers` for logits; by `weight` (N,) they stand in
    their cell; `aspect` is the view's width over its height. Nodes that are not shown stand at
    NaN.
    """
    row = layers - layer.astype(np.int64)
    cells = row * tokens + position
    counts = np.bincount(cells[shown], minlength=(layers + 2) * tokens)
    counts = counts.reshape(layers + 2, tokens)
    logits = int(counts[0].sum())
    counts[0] = 0
    stack = _best_stack(counts, logits, box, aspect)
    abreast, _ = _cells(counts, stack)
    columns = _columns(counts, abreast, logits, box)
    high = _high(counts, stack, logits, columns, box)
    rows = _rows(high, box)
    columns, rows = _filled(columns, rows, abreast > 0, high > 0, aspect)
    x, y = np.full(len(layer), np.nan), np.full(len(layer), np.nan)
    chosen = np.flatnonzero(shown)
    order = chosen[np.lexsort((-weight[chosen], cells[chosen]))]
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
    top = chosen[layer[chosen] == layers]
    top = top[np.argsort(-weight[top], kind="stable")]
    _place_logits(x, y, top, columns, rows, int(high[0]), box)
    of_logits = np.where(layer == layers, box.logit, box.width)
    widths = np.where(layer < 0, box.token, of_logits)
    return Placing(x, y, columns, rows, box, widths)


def _place_logits(
    x: Array, y: Array, logits: Array, columns: Array, rows: Array, high: int, box: Box
) -> None:
    """Place the next tokens in `high` rows, each from the last column to the left."""
    if not len(logits):
        return
    abreast = -(-len(logits) // high)
    right = columns[-1] - (_LOGIT_GAP + box.logit) / 2
    number = np.arange(len(logits))
    x[logits] = right - number % abreast * (box.logit + _LOGIT_GAP)
    middle = (rows[0] + rows[1]) / 2
    y[logits] = middle + (number // abreast - (high - 1) / 2) * (box.height + _LOGIT_ROW_GAP)


def _high(counts: Array, stack: int, logits: int, columns: Array, box: Box) -> Array:
    """Return how many nodes stand above one another in each row, (R,)."""
    _, high = _cells(counts, stack)
    abreast = max(int(columns[-1] // (box.logit + _LOGIT_GAP)), 1)
    high[0] = -(-logits // abreast)
    return high


def _cells(counts: Array, stack: int) -> tuple[Array, Array]:
    """Return how many stand abreast in each column, and above one another in each row."""
    wide = np.ceil(counts / stack)
    depth = np.ceil(counts / np.maximum(wide, 1))
    return wide.max(axis=0), depth.max(axis=1)


def _edges(numbers: Array, size: float, gap: float, empty: float) -> Array:
    extents = np.where(numbers > 0, numbers * (size + GAP) - GAP + gap, empty)
    return np.asarray(np.r_[0.0, np.cumsum(extents)])


def _rows(high: Array, box: Box) -> Array:
    """Return the edges of the rows; beneath the next tokens there is more room."""
    edges = _edges(high, box.height, ROW_GAP, EMPTY_ROW)
    edges[1:] += max(float(high[0]) - 1, 0.0) * (_LOGIT_ROW_GAP - GAP)
    edges[2:] += _BELOW_LOGITS if high[0] else 0.0
    return edges


def _columns(counts: Array, abreast: Array, logits: int, box: Box) -> Array:
    """Return the edges of the columns; those with a token alone are as wide as a token.

    All are wider where the next tokens would otherwise take too many rows.
    """
    above = counts[:-1].sum(axis=0) > 0
    edges = _edges(abreast, box.width, CELL_GAP, EMPTY_COLUMN)
    widths = np.where(~above & (abreast > 0), box.token + CELL_GAP / 2, np.diff(edges))
    least = -(-logits // _LOGIT_ROWS) * (box.logit + _LOGIT_GAP)
    widths += max(least - float(widths.sum()), 0.0) / max(len(widths), 1)
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


def _best_stack(counts: Array, logits: int, box: Box, aspect: float) -> int:
    """Return how many nodes may stand above one another, so that the whole is seen largest."""
    best, largest = 1, 0.0
    for stack in range(1, min(max(int(counts.max(initial=1)), 1), _MOST_STACKED) + 1):
        columns = _columns(counts, _cells(counts, stack)[0], logits, box)
        high = _high(counts, stack, logits, columns, box)
        scale = min(aspect / columns[-1], 1.0 / _rows(high, box)[-1])
        if scale > largest * 1.001:
            best, largest = stack, scale
    return best
