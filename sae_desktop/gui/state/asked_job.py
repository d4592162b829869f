"""One question to the engine at a time, from a button to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sae_desktop.engine.protocol import ErrorInfo, JobConfig
from sae_desktop.gui.state.session import Session

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


class AskedJob(QObject):
    """Runs a job and tells its result; errors become toasts."""

    answered = Signal(object)
    busyChanged = Signal(bool)
    failed = Signal(object)
    """ErrorInfo, which was shown already."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.job: Job | None = None

    @property
    def busy(self) -> bool:
        return self.job is not None

    def ask(self, config: JobConfig) -> bool:
        """Start a job unless one is under way; tell whether it was started."""
        if self.job is not None:
            return False
        job = self._session.run(config)
        if job is None:
            return False
        self.job = job
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(lambda _message=None: self._end())
        self.busyChanged.emit(True)
        return True

    def cancel(self) -> None:
        """Cancel what is under way."""
        if self.job is not None:
            self.job.cancel()

    def _end(self) -> None:
        self.job = None
        self.busyChanged.emit(False)

    def _on_finished(self, result: object) -> None:
        self._end()
        self.answered.emit(result)

    def _on_failed(self, error: ErrorInfo) -> None:
        job = self.job
        self._end()
        # The session tells why a job of the list failed; of a crash the window tells once for all.
        if job is not None and job.quiet and self._session.client.state != "crashed":
            self._session.show_error(error)
        self.failed.emit(error)
