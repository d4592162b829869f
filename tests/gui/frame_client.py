"""A client whose engine is the test."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from PySide6.QtCore import QObject, Signal

from sae_desktop.client.engine_exit import EngineExit
from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import (
    Command,
    EngineStatus,
    ErrorInfo,
    JobConfig,
    JobFailed,
    JobFinished,
    JobMetrics,
    JobProgress,
    JobStarted,
    ProjectOpened,
    ProjectRefused,
)


@dataclass
class Heard:
    """What the session told the window."""

    errors: list[ErrorInfo] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    workspaces: list[str] = field(default_factory=list)


class FakeClient(QObject):
    """Takes jobs and answers none by itself."""

    stateChanged = Signal(object)
    statusReceived = Signal(object)
    projectOpened = Signal(object)
    projectRefused = Signal(object)
    jobAdded = Signal(object)
    keyKept = Signal(object)
    engineCrashed = Signal(object)
    detached = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.state = "ready"
        self.threads = 0
        self.process_id: int | None = None
        self.status: EngineStatus | None = None
        self.jobs: list[Job] = []
        self.sent: list[Command] = []
        self.keys: list[tuple[str, str]] = []
        self.opened: list[str] = []
        self.restarts = 0
        self.interrupted: list[Job] = []
        self.left_alone: list[Job] | None = None

    def open_project(self, path: str) -> None:
        self.opened.append(path)

    def accept_project(self) -> None:
        self.projectOpened.emit(ProjectOpened(path=self.opened[-1]))

    def refuse_project(self, what: str) -> None:
        error = ErrorInfo(what=what, next_step="Close it there.")
        self.projectRefused.emit(ProjectRefused(path=self.opened[-1], error=error))

    def keep_key(self, server: str, key: str) -> None:
        self.keys.append((server, key))

    def start_job(self, config: JobConfig) -> Job:
        job = Job(str(len(self.jobs) + 1), config, self.sent.append)
        self.jobs.append(job)
        self.jobAdded.emit(job)
        return job

    def last(self, kind: type) -> Job:
        """Return the last job whose config is of a kind."""
        return [job for job in self.jobs if isinstance(job.config, kind)][-1]

    def started(self, kind: type) -> list[Job]:
        return [job for job in self.jobs if isinstance(job.config, kind)]

    def run(self, job: Job) -> None:
        job.receive(JobStarted(job_id=job.id))

    def progress(self, job: Job, done: float, total: float) -> None:
        job.receive(
            JobProgress(
                job_id=job.id,
                done=done,
                total=total,
                unit="tokens",
                message="",
                rate=1000.0,
                seconds_left=(total - done) / 1000.0,
            )
        )

    def points(self, job: Job, values: list[dict[str, float]]) -> None:
        steps = list(range(len(values)))
        job.receive(JobMetrics(job_id=job.id, steps=steps, values=values))

    def finish(self, job: Job, result: msgspec.Struct) -> None:
        job.receive(JobFinished(job_id=job.id, result=msgspec.Raw(msgspec.json.encode(result))))

    def fail(self, job: Job, what: str) -> None:
        job.receive(JobFailed(job_id=job.id, error=ErrorInfo(what=what, details="Traceback")))

    def crash(self, reason: str) -> None:
        self.state = "crashed"
        self.interrupted = [job for job in self.jobs if not job.ended and job.writes]
        titles = [job.title for job in self.jobs if not job.ended]
        for job in self.jobs:
            if not job.ended:
                job.fail(ErrorInfo(what=reason, kept="All rows saved so far are kept."))
        self.stateChanged.emit("crashed")
        self.engineCrashed.emit(EngineExit(reason, "SIGKILL", 9, "", titles))

    def restart(self) -> None:
        self.restarts += 1
        self.state = "ready"
        self.stateChanged.emit("ready")

    def start(self) -> None:
        self.state = "ready"
        self.stateChanged.emit("ready")

    def adopt(self, job: Job) -> None:
        self.jobs.append(job)
        self.jobAdded.emit(job)

    def detach(self, jobs: list[Job]) -> None:
        self.left_alone = jobs

    def shutdown(self) -> None:
        self.state = "stopped"
