"""Keeps files that are dropped on one-line fields from becoming “file:///…” in them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QLineEdit

from sae_desktop.gui.parts.text_box import PathField, local_files

_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


class DropGuard(QObject):
    """Leaves such files to what lies under the field; a field for a path takes them."""

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in _DRAGS or not isinstance(watched, QLineEdit):
            return False
        if isinstance(watched, PathField) or not isinstance(event, QDropEvent):
            return False
        if not local_files(event.mimeData()):
            return False
        event.ignore()
        return True
