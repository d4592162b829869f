"""Speaks to an engine over its pipe as the window does, without Qt."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec
from warm_program import begin, engine_environment

from sae_desktop.engine.protocol import (
    Command,
    Event,
    JobCancelled,
    JobConfig,
    JobFailed,
    JobFinished,
    OpenProject,
    ProjectOpened,
    Ready,
    StartJob,
)

E = TypeVar("E")

ENGINE = ("-m", "sae_desktop.engine")
ENDED = (JobFinished, JobFailed, JobCancelled)
PATIENCE = 120.0
"""Seconds after which a test gives up; never reached when all is well."""


class EngineDriver:
    """One engine process; its events are collected as they come."""

    def __init__(self, program: Sequence[str] = ENGINE) -> None:
        self.process = begin(program, engine_environment())
        self.seen: list[Event] = []
        self.times: list[float] = []
        self.stderr = b""
        self._queue: queue.Queue[Event | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> EngineDriver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(msgspec.json.decode(line, type=Event))
        self._queue.put(None)

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line

    def send_line(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, command: Command) -> None:
        self.send_line(msgspec.json.encode(command))

    def start(self, job_id: str, config: JobConfig) -> None:
        self.send(StartJob(job_id=job_id, config=config))

    def open_project(self, path: Path) -> None:
        self.send(OpenProject(path=str(path)))
        self.wait(ProjectOpened)

    def wait(self, kind: type[E], test: Callable[[E], bool] = lambda _: True) -> E:
        """Return the next event of a kind that passes the test; raises when there is none."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                event = self._queue.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise TimeoutError(f"no {kind} came; seen: {self.seen[-5:]}") from None
            if event is None:
                raise EOFError(f"the engine ended: {self.stderr.decode(errors='replace')}")
            self.seen.append(event)
            self.times.append(time.monotonic())
            if isinstance(event, kind) and test(event):
                return event

    def wait_ready(self) -> Ready:
        return self.wait(Ready)

    def wait_end(self, job_id: str) -> Event:
        """Return the event with which a job ended."""
        return self.wait(ENDED, lambda event: event.job_id == job_id)  # type: ignore[arg-type]

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of a kind seen so far."""
        return [event for event in self.seen if isinstance(event, kind)]

    def close_pipe(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """End the process with SIGKILL and collect it."""
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
