"""Keeps files that are dropped on one-line fields from becoming “file:///…” in them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtGui import QDropEvent, QGuiApplication, QWindow
from PySide6.QtWidgets import QLineEdit

from sae_desktop.gui.parts.text_box import PathField, local_files
from sae_desktop.gui.parts.window_guard import WindowGuard

_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)
_ENDS = (QEvent.Type.DragLeave, QEvent.Type.Drop)


class DropGuard(WindowGuard):
    """Leaves such files to what lies under the field; a field for a path takes them.

    While something is dragged over a window it stands before every widget, and only then.
    """

    def __init__(self, application: QGuiApplication) -> None:
        super().__init__(application)
        self._dragged = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, QWindow):
            self._follow(event.type())
            return False
        if event.type() not in _DRAGS or not isinstance(watched, QLineEdit):
            return False
        if isinstance(watched, PathField) or not isinstance(event, QDropEvent):
            return False
        if not local_files(event.mimeData()):
            return False
        event.ignore()
        return True

    def _follow(self, kind: QEvent.Type) -> None:
        application = QCoreApplication.instance()
        if application is None:
            return
        if kind is QEvent.Type.DragEnter and not self._dragged:
            self._dragged = True
            application.installEventFilter(self)
        elif kind in _ENDS and self._dragged:
            self._dragged = False
            # Only after the drop itself has reached its field.
            QTimer.singleShot(0, self, self._leave)

    def _leave(self) -> None:
        application = QCoreApplication.instance()
        if application is not None and not self._dragged:
            application.removeEventFilter(self)
