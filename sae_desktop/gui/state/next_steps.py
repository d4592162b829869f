"""What comes after jobs that finish: offered to whoever looks, done by the window's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.session import Session
from sae_desktop.words.after_jobs import AfterJob, after

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


class NextSteps(QObject):
    """Listens to every job of the open project."""

    offered = Signal(object)
    """AfterJob, of a job that has just finished."""
    taken = Signal(object)
    """AfterJob that a person chose: it is to be done."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        for job in session.client.jobs:
            self._watch(job)
        session.client.jobAdded.connect(self._watch)

    @classmethod
    def of(cls, session: Session) -> NextSteps:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    def after(self, job: Job) -> AfterJob | None:
        """Return what one does after a job of the open project that has finished."""
        if job.state != "finished" or job.result is None or not self._session.is_here(job):
            return None
        return after(job.config, job.result)

    def _watch(self, job: Job) -> None:
        if not job.quiet:
            job.finished.connect(lambda _result: self._on_finished(job))

    def _on_finished(self, job: Job) -> None:
        step = self.after(job)
        if step is not None:
            self.offered.emit(step)
        elif job.elsewhere:
            self._session.notify(f"{job.title}: finished.")
