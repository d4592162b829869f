"""A line of text that belongs to something: what is typed is kept for that and for nothing else."""

from __future__ import annotations

from collections.abc import Hashable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit


class BoundLine(QLineEdit):
    """Shows the text of one thing; what is typed is told together with the thing's key.

    Whatever is selected meanwhile, `committed` names what was shown when the typing began.
    """

    committed = Signal(object, str)
    """(key, text), once an edit has ended: Return, another field, or something else is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._key: Hashable = None
        self.editingFinished.connect(self.commit)

    def show_text(self, key: Hashable, text: str) -> None:
        """Show the text of `key`; what is being typed for another is committed first.

        What is being typed for the same key stays.
        """
        if key != self._key:
            self.commit()
            self._key = key
        elif self.isModified():
            return
        if self.text() != text:
            self.setText(text)
            self.setCursorPosition(0)
        self.setModified(False)

    def commit(self) -> None:
        """Tell what was typed, if anything was."""
        if self.isModified():
            self.setModified(False)
            self.committed.emit(self._key, self.text())
