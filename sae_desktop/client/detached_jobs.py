"""The jobs of an engine that works without a window, as the window shows them."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from sae_desktop.client.job import Job
from sae_desktop.engine.detached import (
    DetachedJob,
    DetachedState,
    Request,
    ask,
    cancelled_by_end,
    forget_state,
    read_state,
)
from sae_desktop.engine.protocol import (
    Command,
    ErrorInfo,
    JobFailed,
    JobLog,
    JobPaused,
    JobResumed,
    JobStarted,
)

LOOK_MS = 500

_logger = logging.getLogger(__name__)
_SEEN_BY_ANOTHER = ErrorInfo(
    what="The engine that worked without a window has ended; another window saw how.",
    kept="What this job has made is in its project.",
    next_step="Start it again if its result is missing: it resumes if it can.",
)


_Key = tuple[Path, int, float, str]
"""A project, the number and beginning of an engine's process, and its name of a job."""


class DetachedJobs(QObject):
    """Looks at the projects' files of engines without a window, while there are some.

    A job is one object for as long as this one lives, whichever project is open meanwhile: it is
    found once, and goes on reporting its progress.
    """

    found = Signal(object)
    """Job: one of such an engine; it tells of its progress like any other."""
    ended = Signal()
    """The engine of the project that is watched has ended: it can be written again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project: Path | None = None
        self._jobs: dict[_Key, Job] = {}
        self._logged: dict[_Key, int] = {}
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)

    @property
    def at_work(self) -> list[Job]:
        """The jobs of the project that is watched and have not ended."""
        return [job for key, job in self._jobs.items() if key[0] == self._project and not job.ended]

    def watch(self, project: Path | None) -> None:
        """Look at another project, or at none; those with jobs at work are looked at as before."""
        self._project = None if project is None else project.resolve()
        self.look()

    def look(self) -> None:
        """Read the files again and tell what is new."""
        projects = {key[0] for key, job in self._jobs.items() if not job.ended}
        if self._project is not None:
            projects.add(self._project)
        # Every one is looked at, also after one at which nothing is at work any more.
        at_work = [self._look_at(project) for project in sorted(projects)]
        if any(at_work):
            self._timer.start()
        else:
            self._timer.stop()

    def _look_at(self, project: Path) -> bool:
        """Tell what is new of a project, and return whether its engine is still at work."""
        state = read_state(project)
        if state is None:
            self._give_up(project)
            return False
        alive = state.alive
        if not alive:
            # It may have written its last between the two looks.
            state = read_state(project) or state
        for seen in state.jobs:
            self._show((project, state.pid, state.began, seen.id), seen, alive=alive)
        if not alive:
            self._forget(project, state)
        return alive

    def _give_up(self, project: Path) -> None:
        """End the jobs of an engine whose end another window has seen, and cleared away."""
        left = [job for key, job in self._jobs.items() if key[0] == project and not job.ended]
        for job in left:
            job.receive(JobFailed(job_id=job.id, error=_SEEN_BY_ANOTHER))
        if left and project == self._project:
            self.ended.emit()

    def _forget(self, project: Path, state: DetachedState) -> None:
        forget_state(project)
        _logger.info("The engine %s without a window has ended", state.pid)
        if project == self._project:
            self.ended.emit()

    def _show(self, key: _Key, seen: DetachedJob, *, alive: bool) -> None:
        job = self._jobs.get(key)
        if job is None:
            send = partial(self._send, key[0])
            job = Job(f"alone-{seen.id}", seen.config, send, elsewhere=True)
            self._jobs[key] = job
            self._logged[key] = 0
            self.found.emit(job)
        if job.ended:
            return
        if seen.started and job.state == "queued":
            job.receive(JobStarted(job_id=job.id))
        if seen.paused != (job.state == "paused"):
            job.receive(JobPaused(job_id=job.id) if seen.paused else JobResumed(job_id=job.id))
        if seen.progress is not None and seen.progress != job.progress:
            job.receive(seen.progress)
        new = min(seen.said - self._logged[key], len(seen.log))
        for line in seen.log[len(seen.log) - new :]:
            job.receive(JobLog(job_id=job.id, message=line))
        self._logged[key] = seen.said
        if seen.outcome is not None:
            job.receive(seen.outcome)
        elif not alive:
            job.receive(cancelled_by_end(seen))

    def _send(self, project: Path, command: Command) -> None:
        if not isinstance(command, Request):
            return
        own = command.job_id.removeprefix("alone-")
        try:
            ask(project, msgspec.structs.replace(command, job_id=own))
        except OSError as error:
            _logger.error("The engine could not be asked: %s", error)
