"""A change of the rack that can be undone."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtGui import QUndoCommand

from sae_desktop.gui.steer.rack import Key, Rack

_ONE_MOVE_S = 1.0
"""Changes of one slider closer together than this are undone as one."""
_MOVE_ID = 0x5AE


class ChangeRack(QUndoCommand):
    """From one rack to another; quick moves of one slider, `moved`, are one change."""

    def __init__(
        self,
        change: Callable[[str | None, Rack], str],
        before: Rack,
        after: Rack,
        text: str,
        moved: Key | None,
    ) -> None:
        super().__init__(text)
        self._change, self._before, self._after, self._moved = change, before, after, moved
        self._dictionary: str | None = None
        self._at = time.monotonic()

    def redo(self) -> None:
        self._dictionary = self._change(self._dictionary, self._after)

    def undo(self) -> None:
        self._change(self._dictionary, self._before)

    def id(self) -> int:
        return -1 if self._moved is None else _MOVE_ID

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ChangeRack) or other._moved != self._moved:
            return False
        if other._at - self._at > _ONE_MOVE_S:
            return False
        self._after, self._at = other._after, other._at
        return True
