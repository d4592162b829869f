"""A computation beside the window, whose answer comes as a signal."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QMetaMethod, QObject, Signal

from sae_desktop.errors import UserError
from sae_desktop.gui.state.error_hook import fault

_LOG = logging.getLogger(__name__)


class Background(QObject):
    """Runs one computation at a time; of those asked for meanwhile, the last."""

    answered = Signal(object)
    """(key, result)."""
    refused = Signal(object)
    """(key, UserError): a fault of the program comes as one, too, and is in the log."""
    _ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._next: tuple[object, Callable[[], Any]] | None = None
        self._ended.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def run(self, key: object, work: Callable[[], Any]) -> None:
        """Compute `work()`; it must not touch the window."""
        self._next = (key, work)
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        if self._next is None:
            return
        (key, work), self._next = self._next, None
        # A daemon: nothing is lost when the window closes in the middle of a figure.
        self._thread = threading.Thread(target=self._work, args=(key, work), daemon=True)
        self._thread.start()

    def _work(self, key: object, work: Callable[[], Any]) -> None:
        try:
            answer: object = work()
        except UserError as error:
            answer = error
        except BaseException as error:  # never a thread that dies in silence
            _LOG.exception("a background computation failed")
            answer = fault(error)
        with suppress(RuntimeError):  # whoever asked is gone
            self._ended.emit((key, answer))

    def _on_ended(self, ended: tuple[object, object]) -> None:
        key, answer = ended
        self._thread = None
        if self._next is None:
            self._tell(key, answer)
        self._begin()

    def _tell(self, key: object, answer: object) -> None:
        if not isinstance(answer, UserError):
            self.answered.emit((key, answer))
        elif self.isSignalConnected(QMetaMethod.fromSignal(self.refused)):
            self.refused.emit((key, answer))
        else:  # whoever asked does not tell it, so the window does
            sys.excepthook(type(answer), answer, answer.__traceback__)
