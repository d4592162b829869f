"""A job as the window sees it: its state, its progress, and signals of what happens to it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from sae_desktop.engine.protocol import (
    AdjustJob,
    CancelJob,
    Command,
    ErrorInfo,
    Event,
    JobCancelled,
    JobConfig,
    JobFailed,
    JobFinished,
    JobLog,
    JobMetrics,
    JobOutput,
    JobPaused,
    JobProgress,
    JobResumed,
    JobStarted,
    PauseJob,
    ResumeJob,
    StopJob,
)
from sae_desktop.engine.registry import job_kind, job_title

LOG_LINES = 1000
Asked = Literal["", "pause", "stop", "cancel"]


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({JobState.FINISHED, JobState.FAILED, JobState.CANCELLED})


class Job(QObject):
    """Made by EngineClient.start_job; lives on after it ended."""

    stateChanged = Signal(object)
    """JobState; also when something was asked of the job."""
    progressed = Signal(object)
    """JobProgress."""
    metricLogged = Signal(object)
    """JobMetrics."""
    outputReceived = Signal(object)
    """JobOutput."""
    logged = Signal(object)
    """JobLog."""
    finished = Signal(object)
    """The job's result struct."""
    failed = Signal(object)
    """ErrorInfo."""
    cancelled = Signal(object)
    """JobCancelled."""

    def __init__(
        self,
        job_id: str,
        config: JobConfig,
        send: Callable[[Command], None],
        *,
        elsewhere: bool = False,
    ) -> None:
        """`elsewhere`: it runs in an engine without a window, which continues without this one."""
        super().__init__()
        self.elsewhere = elsewhere
        self.id = job_id
        self.config = config
        self.title = job_title(config)
        self.state = JobState.QUEUED
        self.progress: JobProgress | None = None
        self.result: msgspec.Struct | None = None
        self.error: ErrorInfo | None = None
        self.log_lines: list[str] = []
        self.asked: Asked = ""
        """What it was asked for and has not come to yet."""
        self._send = send

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def writes(self) -> bool:
        """Whether it changes the project: such jobs are long and stay in the list."""
        return job_kind(self.config).writes

    @property
    def waits(self) -> bool:
        """Whether it mostly waits, and leaves the project to others meanwhile."""
        return job_kind(self.config).waits

    @property
    def quiet(self) -> bool:
        """Whether whoever asked shows the answer and the error, and no list of jobs does."""
        return job_kind(self.config).quiet

    @property
    def again(self) -> str:
        """What starting it once more does, on a button: it resumes, or starts again."""
        return "Resume" if job_kind(self.config).resumes else "Start again"

    def pause(self) -> None:
        """Ask for a pause at the next safe point; the state changes when it is reached."""
        if self.state is JobState.RUNNING:
            self._ask("pause", PauseJob(job_id=self.id))

    def resume(self) -> None:
        """Go on; also takes back a pause that has not been reached yet."""
        if not self.ended:
            self._ask("", ResumeJob(job_id=self.id))

    def cancel(self) -> None:
        """End the job at its next safe point; what is committed stays."""
        if not self.ended:
            self._ask("cancel", CancelJob(job_id=self.id))

    def stop_and_keep(self) -> None:
        """End the job early and keep what it has made as its result."""
        if not self.ended:
            self._ask("stop", StopJob(job_id=self.id))

    def adjust(self, values: dict[str, float]) -> None:
        """Change settings while the job runs: of a training "lr" and "sparsity"."""
        if not self.ended:
            self._send(AdjustJob(job_id=self.id, values=values))

    def _ask(self, asked: Asked, command: Command) -> None:
        """Send a request, and show at once that it was made."""
        self.asked = asked
        self._send(command)
        if not self.ended:
            self.stateChanged.emit(self.state)

    def receive(self, event: Event) -> None:
        """Take an event of the engine that concerns this job."""
        if self.ended:
            return
        match event:
            case JobProgress():
                self.progress = event
                self.progressed.emit(event)
            case JobMetrics():
                self.metricLogged.emit(event)
            case JobOutput():
                self.outputReceived.emit(event)
            case JobLog():
                self.log_lines.append(event.message)
                del self.log_lines[:-LOG_LINES]
                self.logged.emit(event)
            case JobStarted() | JobResumed():
                self._enter(JobState.RUNNING)
            case JobPaused():
                self._enter(JobState.PAUSED)
            case JobFinished():
                self._finish(event)
            case JobFailed():
                self.fail(event.error)
            case JobCancelled():
                self._enter(JobState.CANCELLED)
                self.cancelled.emit(event)

    def fail(self, error: ErrorInfo) -> None:
        """End the job with an error."""
        self.error = error
        self._enter(JobState.FAILED)
        self.failed.emit(error)

    def _finish(self, event: JobFinished) -> None:
        try:
            self.result = msgspec.json.decode(event.result, type=job_kind(self.config).result)
        except msgspec.DecodeError as error:
            self.fail(
                ErrorInfo(
                    what=f"{self.title} finished, but its result cannot be read: {error}.",
                    kept="Everything it wrote is in the project.",
                    details=bytes(event.result).decode("utf-8", "replace"),
                )
            )
            return
        self._enter(JobState.FINISHED)
        self.finished.emit(self.result)

    def _enter(self, state: JobState) -> None:
        self.state = state
        if state in ENDED or (state is JobState.PAUSED and self.asked == "pause"):
            self.asked = ""
        self.stateChanged.emit(state)
