"""An exception nobody caught: to the log, and to a toast."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Signal

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError

_LOG = logging.getLogger(__name__)


def describe(error: BaseException) -> ErrorInfo:
    """Return an exception as a person should see it, its traceback in the details."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, UserError):
        return ErrorInfo(
            what=error.what, kept=error.kept, next_step=error.next_step, details=details
        )
    return ErrorInfo(
        what=f"The window hit a fault of its own: {type(error).__name__}: {error}",
        kept="Jobs go on in the engine, and everything saved is safe.",
        next_step="Go on working; if it comes again, report it with the details.",
        details=details,
    )


class ErrorHook(QObject):
    """Takes the place of sys.excepthook while installed."""

    raised = Signal(object)
    """ErrorInfo."""

    def install(self) -> None:
        self._previous = sys.excepthook
        sys.excepthook = self._on_exception

    def remove(self) -> None:
        sys.excepthook = self._previous

    def _on_exception(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._previous(kind, error, trace)
            return
        _LOG.error("uncaught", exc_info=(kind, error, trace))
        self.raised.emit(describe(error))
