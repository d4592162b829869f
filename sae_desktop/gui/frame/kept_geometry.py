"""Size and place of the window, and its own docks, from one start to the next."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QMainWindow

from sae_desktop.gui.state.settings import Settings

_STATE_VERSION = 1
_FIRST_SIZE = 1280, 800
TITLE_BAR = 40
"""Of the screen, left to the frame that the desktop draws around the window."""
_REST_MS = 1000
"""After the last move or change of size."""


class KeptGeometry(QObject):
    """Gives the window what the settings hold of it, and says when it is another."""

    changed = Signal()
    """The window was moved or changed its size: kept now, a crash does not lose it."""

    def __init__(self, window: QMainWindow, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self.changed)
        self._give()
        window.installEventFilter(self)

    def _give(self) -> None:
        settings, window = self._settings, self._window
        if not window.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode())):
            room = window.screen().availableSize()
            window.resize(
                min(_FIRST_SIZE[0], room.width()), min(_FIRST_SIZE[1], room.height() - TITLE_BAR)
            )
        window.restoreState(QByteArray.fromBase64(settings.window_state.encode()), _STATE_VERSION)

    def take(self) -> None:
        """Put what the window is now into the settings."""
        settings, window = self._settings, self._window
        self._rest.stop()
        settings.geometry = bytes(window.saveGeometry().toBase64().data()).decode()
        settings.window_state = bytes(window.saveState(_STATE_VERSION).toBase64().data()).decode()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize):
            self._rest.start()
        return False
