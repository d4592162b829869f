"""Which changes of an undo stack are steps back or again, rather than new ones."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QUndoStack


@dataclass(frozen=True)
class Step:
    """A change that was undone, or done again."""

    text: str
    undone: bool


class UndoSteps:
    """Follows a stack; ask it at every change of the stack's index."""

    def __init__(self, stack: QUndoStack) -> None:
        self._stack = stack
        self._at, self._next = stack.index(), stack.redoText()

    def moved(self, at: int) -> Step | None:
        """Return what was undone or done again; None: the change is a new one."""
        undone = at < self._at
        text = self._stack.redoText() if undone else self._stack.undoText()
        again = not undone and at > 0 and text == self._next
        self._at, self._next = at, self._stack.redoText()
        return Step(text, undone) if text and (undone or again) else None
