"""What stands before the windows of the program, and sees their events before any widget."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication, QWindow


class WindowGuard(QObject):
    """A filter of the events of every window that has had the focus.

    A filter of all events of the application would be asked of each of the thousands that
    building one panel takes.
    """

    def __init__(self, application: QGuiApplication) -> None:
        super().__init__(application)
        application.focusWindowChanged.connect(self.guard)

    def guard(self, window: QWindow | None) -> None:
        """Watch a window; one that is watched already stays so."""
        if window is not None:
            window.installEventFilter(self)
