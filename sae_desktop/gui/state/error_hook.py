"""An exception nobody caught: to the log, and to a toast."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Signal

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.plugins.loading import fault as plugin_fault
from sae_desktop.plugins.loading import plugin_of

_LOG = logging.getLogger(__name__)
_KEPT = "Jobs continue in the engine, and everything you saved is safe."


def describe(error: BaseException) -> ErrorInfo:
    """Return an exception as a person should see it, its traceback in the details."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, UserError):
        return ErrorInfo(
            what=error.what, kept=error.kept, next_step=error.next_step, details=details
        )
    error = fault(error)
    return ErrorInfo(what=error.what, kept=error.kept, next_step=error.next_step, details=details)


def fault(error: BaseException) -> UserError:
    """Return a fault of the program itself, or of a plug-in, as a person should read it."""
    plugin = plugin_of(error)
    if plugin is not None:
        return plugin_fault(plugin, error, kept_text=_KEPT)
    return UserError(
        f"Something went wrong in the window: {type(error).__name__}: {error}",
        kept=_KEPT,
        next_step="You can keep working. Help › Crash reports has what to say where you report it.",
    )


class ErrorHook(QObject):
    """Takes the place of sys.excepthook, and of threads' own, while installed."""

    raised = Signal(object)
    """ErrorInfo."""
    faulted = Signal(object)
    """ErrorInfo of what nobody had foreseen: a fault of the program."""
    pluginFailed = Signal(object)
    """The Plugin in whose code the exception was raised; after `raised`."""

    def install(self) -> None:
        self._previous, self._previous_thread = sys.excepthook, threading.excepthook
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception

    def remove(self) -> None:
        sys.excepthook, threading.excepthook = self._previous, self._previous_thread

    def _on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is None or isinstance(arguments.exc_value, SystemExit):
            return
        self._on_exception(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

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
        told, plugin = describe(error), plugin_of(error)
        if not isinstance(error, UserError) and plugin is None:
            self.faulted.emit(told)
        self.raised.emit(told)
        if plugin is not None:
            self.pluginFailed.emit(plugin)
