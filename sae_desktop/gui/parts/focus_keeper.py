"""Keeps the keyboard where it is when the button that was pressed is disabled."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

_TABS = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)


class FocusKeeper(QObject):
    """Qt hands the focus of a disabled button to the next control, whatever that does.

    The next Space or Return would press that one. Here nothing has the focus meanwhile: the
    button gets it back once it is enabled, and Tab moves on to the control after it. Only
    meanwhile it sees the events of the application: every one passes through Python then.
    """

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._button: QAbstractButton | None = None
        self._next: QWidget | None = None
        application.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        if new is None or not isinstance(old, QAbstractButton):
            if new is not None:
                self._forget()
            return
        # Disabled by whatever was above it, such as a page that is done with, it does not count.
        parent = old.parentWidget()
        taken = not old.isEnabled() and (parent is None or parent.isEnabled())
        if not taken or not old.isVisible() or new.window() is not old.window():
            self._forget()
            return
        self._button, self._next = old, new
        self._application.installEventFilter(self)
        old.destroyed.connect(self._forget)
        new.clearFocus()

    def _forget(self, _gone: object = None) -> None:
        if self._button is not None:
            self._application.removeEventFilter(self)
        self._button = self._next = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        button = self._button
        if button is None:
            return False
        if watched is button and event.type() is QEvent.Type.EnabledChange:
            if button.isEnabled() and QApplication.focusWidget() is None:
                self._forget()
                button.setFocus(Qt.FocusReason.OtherFocusReason)
        elif event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            following = self._next
            if event.key() in _TABS and following is not None and watched is button.window():
                self._forget()
                following.setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return False
