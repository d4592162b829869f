"""Keeps files that are dropped on one-line fields from becoming “file:///…” in them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtGui import QDropEvent, QWindow
from PySide6.QtWidgets import QLineEdit

from sae_desktop.gui.parts.text_box import PathField, local_files
from sae_desktop.gui.parts.window_guard import WindowGuard

_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)
_OVER = (QEvent.Type.DragEnter, QEvent.Type.DragMove)
_ENDS = (QEvent.Type.DragLeave, QEvent.Type.Drop)


class DropGuard(WindowGuard):
    """Leaves such files to what lies under the field; a field for a path takes them.

    While something is dragged over a window it stands before every widget, and only then.
    """

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, QWindow):
            if event.type() in _OVER:
                self._begin()
            elif event.type() in _ENDS:
                # Only after the drop itself has reached its field.
                QTimer.singleShot(0, self, self._leave)
            return False
        if event.type() not in _DRAGS or not isinstance(watched, QLineEdit):
            return False
        if isinstance(watched, PathField) or not isinstance(event, QDropEvent):
            return False
        if not local_files(event.mimeData()):
            return False
        event.ignore()
        return True

    def _begin(self) -> None:
        application = QCoreApplication.instance()
        if application is not None:
            application.installEventFilter(self)

    def _leave(self) -> None:
        application = QCoreApplication.instance()
        if application is not None:
            application.removeEventFilter(self)
