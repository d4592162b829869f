"""The engine at work without a window: its jobs run to the end, and the project records them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

from sae_desktop.engine.context import WorkerContext
from sae_desktop.engine.detached import (
    LOG_FILE,
    DetachedJob,
    Outcome,
    Request,
    forget_state,
    own_state,
    take_requests,
    write_state,
)
from sae_desktop.engine.protocol import (
    AdjustJob,
    CancelJob,
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobLog,
    JobPaused,
    JobProgress,
    JobResumed,
    JobStarted,
    PauseJob,
    ResumeJob,
    StopJob,
)
from sae_desktop.engine.worker import Workers

LOOK_SECONDS = 0.5
OUTCOME_SECONDS = 5.0

REQUESTS: dict[type[msgspec.Struct], Callable[[WorkerContext], None]] = {
    PauseJob: WorkerContext.request_pause,
    ResumeJob: WorkerContext.request_resume,
    CancelJob: WorkerContext.request_cancel,
    StopJob: WorkerContext.request_stop,
}


class Alone:
    """Keeps the project's file of jobs, and does what the requests in its folder ask for."""

    def __init__(self, project: Path, workers: Workers) -> None:
        self._project = project
        self._workers = workers
        self._lock = threading.Lock()
        self._early: list[Event] | None = []
        """What jobs said before it was known which of them are kept."""
        forget_state(project)
        self._state = own_state([])
        self._write()

    def begin(self, kept: Collection[str]) -> None:
        """Keep these jobs, as far as they still run, and cancel the others."""
        running = self._workers.running()
        for job_id in running.keys() - set(kept):
            self._workers.ask(job_id, WorkerContext.request_cancel)
        with self._lock:
            self._state.jobs += [
                DetachedJob(id=job_id, config=config, started=True)
                for job_id, config in running.items()
                if job_id in kept
            ]
            early, self._early = self._early or [], None
            self._note_all(early)
        self._write()

    @property
    def log_path(self) -> Path:
        """The file that takes what the engine and its libraries say."""
        return self._project / LOG_FILE

    def take(self, events: Sequence[Event]) -> None:
        """Note what the jobs say; called from their threads."""
        with self._lock:
            if self._early is not None:
                self._early += events
            else:
                self._note_all(events)

    def _note_all(self, events: Sequence[Event]) -> None:
        for event in events:
            job_id = getattr(event, "job_id", "")
            job = next((job for job in self._state.jobs if job.id == job_id), None)
            if job is not None:
                _note(job, event)

    def work(self) -> None:
        """Return when the last job has ended; what they ended with is in the project."""
        woken = threading.Event()
        while self._workers.running():
            for request in take_requests(self._project):
                self._do(request)
            self._write()
            woken.wait(LOOK_SECONDS)
        # A job no longer counts as running shortly before it says how it ended.
        deadline = time.monotonic() + OUTCOME_SECONDS
        while self._state.at_work and time.monotonic() < deadline:
            woken.wait(0.01)
        self._write()

    def _do(self, request: Request) -> None:
        if isinstance(request, AdjustJob):
            values = request.values
            self._workers.ask(request.job_id, lambda job: job.request_adjustment(values))
        else:
            self._workers.ask(request.job_id, REQUESTS[type(request)])

    def _write(self) -> None:
        with self._lock:
            write_state(self._project, self._state)


def _note(job: DetachedJob, event: Event) -> None:
    match event:
        case JobProgress():
            job.progress = event
        case JobLog():
            job.add_log(event.message)
        case JobStarted() | JobResumed():
            job.started, job.paused = True, False
        case JobPaused():
            job.paused = True
        case JobFinished() | JobFailed() | JobCancelled():
            outcome: Outcome = event
            job.outcome = outcome
