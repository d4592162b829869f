"""The jobs of an engine that works without a window, as the window shows them."""

from __future__ import annotations

import logging
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
from sae_desktop.engine.protocol import Command, JobLog, JobPaused, JobResumed, JobStarted

LOOK_MS = 500

_logger = logging.getLogger(__name__)


class DetachedJobs(QObject):
    """Looks at the project's file of an engine without a window, while there is one."""

    found = Signal(object)
    """Job: one of such an engine; it tells of its progress like any other."""
    ended = Signal()
    """The engine has ended: the project can be written again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project: Path | None = None
        self._jobs: dict[str, Job] = {}
        self._logged: dict[str, int] = {}
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)

    @property
    def at_work(self) -> list[Job]:
        """The jobs that have not ended."""
        return [job for job in self._jobs.values() if not job.ended]

    def watch(self, project: Path | None) -> None:
        """Look at another project, or at none."""
        if project != self._project:
            self._project, self._jobs, self._logged = project, {}, {}
            self._timer.stop()
        self.look()

    def look(self) -> None:
        """Read the file again and tell what is new."""
        if self._project is None:
            return
        state = read_state(self._project)
        if state is None:
            self._timer.stop()
            return
        alive = state.alive
        if not alive:
            # It may have written its last between the two looks.
            state = read_state(self._project) or state
        for seen in state.jobs:
            self._show(seen, alive=alive)
        if alive:
            self._timer.start()
        else:
            self._timer.stop()
            self._forget(state)

    def _forget(self, state: DetachedState) -> None:
        if self._project is not None:
            forget_state(self._project)
        _logger.info("The engine %s without a window has ended", state.pid)
        self.ended.emit()

    def _show(self, seen: DetachedJob, *, alive: bool) -> None:
        job = self._jobs.get(seen.id)
        if job is None:
            job = Job(f"alone-{seen.id}", seen.config, self._send, elsewhere=True)
            self._jobs[seen.id] = job
            self._logged[seen.id] = 0
            self.found.emit(job)
        if job.ended:
            return
        if seen.started and job.state == "queued":
            job.receive(JobStarted(job_id=job.id))
        if seen.paused != (job.state == "paused"):
            job.receive(JobPaused(job_id=job.id) if seen.paused else JobResumed(job_id=job.id))
        if seen.progress is not None and seen.progress != job.progress:
            job.receive(seen.progress)
        new = min(seen.said - self._logged[seen.id], len(seen.log))
        for line in seen.log[len(seen.log) - new :]:
            job.receive(JobLog(job_id=job.id, message=line))
        self._logged[seen.id] = seen.said
        if seen.outcome is not None:
            job.receive(seen.outcome)
        elif not alive:
            job.receive(cancelled_by_end(seen))

    def _send(self, command: Command) -> None:
        if self._project is None or not isinstance(command, Request):
            return
        own = command.job_id.removeprefix("alone-")
        try:
            ask(self._project, msgspec.structs.replace(command, job_id=own))
        except OSError as error:
            _logger.error("The engine could not be asked: %s", error)
