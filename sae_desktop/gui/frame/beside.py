"""Where a bubble goes that must not cover what it points at: rectangles in, a rectangle out."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize

GAP = 10
"""Pixels between the two."""
MARGIN = 8
"""Pixels to the edge of the window."""


def placed(control: QRect, bubble: QSize, window: QRect) -> tuple[QRect, QRect]:
    """Return (what is pointed at, where the bubble goes), which do not meet.

    A control that leaves no room at any side is pointed at by its upper part alone.
    """
    room = window.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    control = control & window
    found = _beside(control, bubble, room)
    if found is None:
        height = room.bottom() - bubble.height() - GAP - control.top()
        control = QRect(control.left(), control.top(), control.width(), max(height, 1))
        found = _at(control.left(), control.bottom() + 1 + GAP, bubble, room)
    return control, found


def _beside(control: QRect, bubble: QSize, room: QRect) -> QRect | None:
    """Return the first side that has room: beside what is high, below or above what is flat."""
    after, below = control.right() + 1 + GAP, control.bottom() + 1 + GAP
    sides = [
        _at(after, control.top(), bubble, room),
        _at(control.left() - GAP - bubble.width(), control.top(), bubble, room),
    ]
    ends = [
        _at(control.left(), below, bubble, room),
        _at(control.left(), control.top() - GAP - bubble.height(), bubble, room),
    ]
    flat = control.height() < bubble.height()
    clear = control.adjusted(1 - GAP, 1 - GAP, GAP - 1, GAP - 1)
    tried = [*ends, *sides] if flat else [*sides, *ends]
    return next((one for one in tried if not one.intersects(clear)), None)


def _at(left: int, top: int, bubble: QSize, room: QRect) -> QRect:
    """Return the bubble at a corner, moved as far as it takes to lie inside."""
    inside = QRect(left, top, bubble.width(), bubble.height())
    inside.moveRight(min(inside.right(), room.right()))
    inside.moveBottom(min(inside.bottom(), room.bottom()))
    inside.moveLeft(max(inside.left(), room.left()))
    inside.moveTop(max(inside.top(), room.top()))
    return inside
