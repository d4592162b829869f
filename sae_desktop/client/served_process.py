"""A served model as a process of its own: started, listened to, and ended by the window."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from sae_desktop.client.engine_process import EngineProcess
from sae_desktop.client.own_program import own_program
from sae_desktop.client.patience import TERMINATE_MS
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.safety.serving.config import ServeConfig, Served, ServedRequest

_KEPT_LINES = 30
_ENDING_MS = 4000


class ServedState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class _Line(msgspec.Struct):
    """What a line on standard error may hold."""

    error: ErrorInfo | None = None
    output: ServedRequest | None = None


class ServedProcess(QObject):
    """Runs `sae-desktop serve`, which ends when this end of its input does."""

    stateChanged = Signal(object)
    """ServedState."""
    requested = Signal(object)
    """ServedRequest."""
    failed = Signal(object)
    """ErrorInfo: why it did not start, or ended by itself."""

    def __init__(self, parent: QObject, command: list[str] | None = None) -> None:
        """`command` replaces the program and its first arguments, for tests."""
        super().__init__(parent)
        self.state = ServedState.STOPPED
        self.served: Served | None = None
        """Where it answers, while it runs."""
        self._command = command or own_program()
        self._process: EngineProcess | None = None
        self._out = self._err = b""
        self._error: ErrorInfo | None = None
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)

    def start(self, config: ServeConfig) -> None:
        """Start it, unless it runs or is about to."""
        if self._process is not None:
            return
        self._out = self._err = b""
        self._error, self.served = None, None
        self._said.clear()
        process = EngineProcess(self)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_stderr)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        self._process = process
        self._enter(ServedState.STARTING)
        command = [*self._command, *arguments(config)]
        process.start(command[0], command[1:])

    def stop(self) -> None:
        """Have it end: what it is writing is broken off after the token that is being written."""
        process = self._process
        if process is None or self.state is ServedState.STOPPING:
            return
        self._enter(ServedState.STOPPING)
        process.closeWriteChannel()
        QTimer.singleShot(_ENDING_MS, process, process.kill)

    def end(self) -> None:
        """End it now: the window closes. Blocks for some seconds at most."""
        process, self._process = self._process, None
        if process is None:
            return
        process.silence()
        process.closeWriteChannel()
        if not process.waitForFinished(_ENDING_MS):
            process.kill()
            process.waitForFinished(TERMINATE_MS)
        process.deleteLater()
        self.served = None
        self._enter(ServedState.STOPPED)

    def _enter(self, state: ServedState) -> None:
        self.state = state
        self.stateChanged.emit(state)

    def _on_output(self) -> None:
        if self._process is None:
            return
        self._out += bytes(self._process.readAllStandardOutput().data())
        line, newline, _ = self._out.partition(b"\n")
        if newline and self.served is None:
            try:
                self.served = msgspec.json.decode(line, type=Served)
            except msgspec.DecodeError:
                self._said.append(line.decode("utf-8", "replace"))
                return
            self._enter(ServedState.RUNNING)

    def _on_stderr(self) -> None:
        if self._process is None:
            return
        *lines, self._err = (
            self._err + bytes(self._process.readAllStandardError().data())
        ).split(b"\n")  # fmt: skip
        for line in lines:
            try:
                found = msgspec.json.decode(line, type=_Line)
            except msgspec.DecodeError:
                self._said.append(line.decode("utf-8", "replace"))
                continue
            self._error = found.error or self._error
            if found.output is not None:
                self.requested.emit(found.output)

    def _on_process_error(self, error: object) -> None:
        process = self._process
        if process is not None and error is process.ProcessError.FailedToStart:
            self._error = ErrorInfo(
                what=f"The server could not be started: {process.errorString()}.",
                next_step="Start it with “sae-desktop serve” in a terminal, which says more.",
            )
            self._on_finished()

    def _on_finished(self, _code: int = 0, _status: object = None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        asked = self.state is ServedState.STOPPING
        error = self._error
        process.deleteLater()
        self.served = None
        self._enter(ServedState.STOPPED)
        if error is not None or not asked:
            self.failed.emit(
                error
                or ErrorInfo(
                    what="The server ended by itself.",
                    next_step="Start it again.",
                    details="\n".join(self._said),
                )
            )


def arguments(config: ServeConfig) -> list[str]:
    """Return the command line that serves what a config says."""
    found = ["serve", "--json", "--until-input-ends", "--port", str(config.port)]
    for option, value in (
        ("--project", config.project), ("--model", config.model), ("--steering", config.preset),
        ("--index", config.index), ("--device", config.device),
    ):  # fmt: skip
        if value:
            found += [option, value]
    for monitor in config.monitors:
        found += ["--monitor", monitor]
    return found
