"""The console's Python as a process of its own: whatever is run there, the window answers."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from sae_desktop.client.engine_process import EngineProcess
from sae_desktop.client.own_program import own_program
from sae_desktop.client.patience import TERMINATE_MS
from sae_desktop.engine.console_protocol import Done, Printed, Ready, Run

STOP_MS = 3000
"""That what runs has to end once it is stopped: then its process is ended."""
_KEPT_LINES = 20


class ConsoleProcess(QObject):
    """Starts with the first statements, and ends with the window."""

    printed = Signal(str, bool)
    """A text, and whether it is of an error."""
    readied = Signal(str)
    """The name of the index that is bound."""
    busyChanged = Signal(bool)
    ended = Signal(str)
    """It ended by itself, or was ended: why, in words, as far as it said so."""

    def __init__(self, parent: QObject, command: list[str] | None = None) -> None:
        """`command` replaces the program and its first arguments, for tests."""
        super().__init__(parent)
        self._command = command or own_program()
        self._process: EngineProcess | None = None
        self._out = b""
        self._waiting: list[str] = []
        """Statements that wait until the process is ready."""
        self._ready = self.busy = False
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._stopping = QTimer(self, singleShot=True, interval=STOP_MS)
        self._stopping.timeout.connect(self._kill)

    @property
    def runs(self) -> bool:
        """Whether there is a process, which keeps what was bound in it."""
        return self._process is not None

    def run(self, source: str, project: str, index: str) -> None:
        """Run statements; the process is started for a project and index if there is none yet."""
        if self.busy:
            return
        self._enter_busy(True)
        if self._process is None:
            self._start(project, index)
        if self._ready:
            self._send(source)
        else:
            self._waiting.append(source)

    def _start(self, project: str, index: str) -> None:
        self._out, self._ready = b"", False
        self._said.clear()
        process = self._process = EngineProcess(self)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_stderr)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_finished)
        chosen = ["--index", index] if index else []
        command = [*self._command, "console", project, "--lines", *chosen]
        process.start(command[0], command[1:])

    def stop(self) -> None:
        """Interrupt what runs; where it does not listen, end its process."""
        if self._process is None or not self.busy:
            return
        if sys.platform == "win32" or not self._ready:
            self._kill()
            return
        os.kill(self._process.processId(), signal.SIGINT)
        self._stopping.start()

    def end(self) -> None:
        """End the process now: the window or the project closes."""
        process, self._process = self._process, None
        self._forget()
        if process is not None:
            process.silence()
            process.kill()
            process.waitForFinished(TERMINATE_MS)
            process.deleteLater()

    def _kill(self) -> None:
        if self._process is not None:
            self._said.clear()
            self._said.append("It did not stop, so its process was ended.")
            self._process.kill()

    def _forget(self) -> None:
        self._stopping.stop()
        self._waiting, self._ready = [], False
        self._enter_busy(False)

    def _enter_busy(self, busy: bool) -> None:
        if busy != self.busy:
            self.busy = busy
            self.busyChanged.emit(busy)

    def _send(self, source: str) -> None:
        assert self._process is not None
        self._process.write(msgspec.json.encode(Run(source)) + b"\n")

    def _on_output(self) -> None:
        if self._process is None:
            return
        data = bytes(self._process.readAllStandardOutput().data())
        *lines, self._out = (self._out + data).split(b"\n")
        for line in lines:
            self._take(msgspec.json.decode(line, type=Ready | Printed | Done))

    def _take(self, message: Ready | Printed | Done) -> None:
        if isinstance(message, Printed):
            self.printed.emit(message.text, message.error)
            return
        if isinstance(message, Ready):
            self._ready = True
            self.readied.emit(message.index)
        else:
            self._stopping.stop()
        if self._waiting:
            self._send(self._waiting.pop(0))
        elif isinstance(message, Done):
            self._enter_busy(False)

    def _on_stderr(self) -> None:
        if self._process is not None:
            text = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
            self._said.extend(text.splitlines())

    def _on_finished(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.silence()
        process.deleteLater()
        self._forget()
        self.ended.emit("\n".join(self._said))
