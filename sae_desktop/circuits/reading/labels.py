"""Where the names of nodes go when their boxes are too small to hold them. Free of Qt.

A name stands over its box, or beside it, and covers neither another name nor the ends of another
node's curves; where there is room for a part of it only, it is cut, and where there is hardly any,
the node has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_BESIDE = 3.0
"""Between a box and the name beside it."""
_ENDS = 3.0
"""Above and below a box, where its curves end."""
_APART = 4.0
"""Between names of one line."""
_LEAST = 72.0
"""What is left of a name that is cut, at least."""
_MOSTLY = 0.75
"""Of a name over its box: cut further, it goes beside it."""


@dataclass(frozen=True)
class Label:
    """A node's name in its place; `width` is what of the wanted one there is room for."""

    node: int
    left: float
    top: float
    width: float
    height: float


def place_labels(
    boxes: Array,
    nodes: Sequence[int],
    widths: Sequence[float],
    height: float,
    bounds: tuple[float, float],
    most: int,
) -> list[Label]:
    """Return the places of names, for `nodes` in the order in which they matter.

    `boxes` (N, 4) are left, top, right, bottom of the nodes that are drawn, NaN for others;
    `widths` those that the names of `nodes` want; all in pixels. No name leaves the `bounds` to the
    left and right, and there are `most` at most.
    """
    drawn = np.flatnonzero(np.isfinite(boxes[:, 0]))
    taken = boxes[drawn] + np.array([0.0, -_ENDS, 0.0, _ENDS])
    found: list[Label] = []
    names = np.empty((0, 4))
    for node, wanted in zip(nodes, widths, strict=True):
        box = boxes[node]
        top = max((box[1] + box[3] - height) / 2, 0.0)
        level = (taken[:, 1] < top + height) & (taken[:, 3] > top) & (drawn != node)
        line = (names[:, 1] < top + height) & (names[:, 3] > top)
        place = _place(box, taken[level], names[line], float(wanted), bounds)
        if place is not None:
            left, width = place
            found.append(Label(node, left, top, width, height))
            grown = [left - _APART, top, left + width + _APART, top + height]
            names = np.concatenate([names, [grown]])
            if len(found) == most:
                break
    return found


def _place(
    box: Array, others: Array, names: Array, wanted: float, bounds: tuple[float, float]
) -> tuple[float, float] | None:
    """Return left and width of a name over its box, right of it or left of it."""
    in_way = np.concatenate([others, names])
    least, most = bounds
    middle = (box[0] + box[2]) / 2
    before, after = in_way[in_way[:, 0] < middle], in_way[in_way[:, 2] > middle]
    low = float(before[:, 2].max(initial=least))
    high = float(after[:, 0].min(initial=most))
    # Half of the gap to the next box is that one's, for a name of its own.
    nearest = float(others[others[:, 0] < middle, 2].max(initial=-np.inf))
    next_one = float(others[others[:, 2] > middle, 0].min(initial=np.inf))
    low, high = max(low, (nearest + box[0]) / 2), min(high, (next_one + box[2]) / 2)
    room, own = high - low, float(box[2] - box[0])
    if room >= max(_MOSTLY * wanted, own) and low <= box[0] and high >= box[2]:
        width = max(min(wanted, room), own)  # it takes the place of its box
        return min(max(middle - width / 2, low), high - width), width
    # Beside it, what stands above and below in the same column is not in the way.
    first, last = float(box[2]) + _BESIDE, float(box[0]) - _BESIDE
    beyond, short = in_way[in_way[:, 2] > first], in_way[in_way[:, 0] < last]
    high = float(beyond[:, 0].min(initial=most))
    low = float(short[:, 2].max(initial=least))
    rooms = ((high - first, first), (last - low, low))
    room, start = max(rooms, key=lambda one: min(one[0], wanted))
    width = min(room, wanted)
    if width < min(_LEAST, wanted):
        return None
    return (first if start == first else last - width), width
