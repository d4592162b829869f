"""Has a store described, again and again while a harvest fills it."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from sae_desktop.activations.config import DescribeStoreConfig, StoreDescription
from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.state.session import Session

ASK_MS = 3_000


class StoreWatch(QObject):
    """Asks about one store at a time, and never twice at once."""

    described = Signal(object)
    """StoreDescription."""
    failed = Signal(object)
    """ErrorInfo, of a store that no harvest is filling."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._asking: Job | None = None
        self._again = False
        self.name = ""
        self.follows = False
        """Whether a harvest fills the store: it is asked about again and again."""
        self._timer = QTimer(self, interval=ASK_MS)
        self._timer.timeout.connect(self.ask)

    def watch(self, name: str, *, follow: bool) -> None:
        """Ask about a store now; with `follow` also later. No name: nothing more."""
        self.name, self.follows = name, follow
        if follow and name:
            self._timer.start()
        else:
            self._timer.stop()
        self.ask()

    def stop(self) -> None:
        """Ask no more, and drop what is under way."""
        self.watch("", follow=False)

    def ask(self) -> None:
        """Ask now, or as soon as the question under way is answered."""
        if self._asking is not None:
            another = self._asked_for(self._asking) != self.name
            if another:
                self._asking.cancel()
            # An answer under way to a last question may be from before the last rows.
            self._again = self._again or another or not self.follows
            return
        self._again = False
        project = self._session.project
        if not self.name or project is None or self._session.client.state != "ready":
            return
        job = self._session.run(DescribeStoreConfig(project=str(project.path), name=self.name))
        self._asking = job
        if job is not None:
            job.finished.connect(lambda result: self._on_answered(job, result))
            job.failed.connect(lambda error: self._on_failed(job, error))
            job.cancelled.connect(lambda _message: self._on_ended())

    @staticmethod
    def _asked_for(job: Job) -> str:
        return job.config.name if isinstance(job.config, DescribeStoreConfig) else ""

    def _on_answered(self, job: Job, description: StoreDescription) -> None:
        if self._asked_for(job) == self.name:
            self.described.emit(description)
        self._on_ended()

    def _on_failed(self, job: Job, error: ErrorInfo) -> None:
        # A harvest that has only begun has no store yet: it is asked about again.
        if self._asked_for(job) == self.name and not self.follows:
            self.failed.emit(error)
        self._on_ended()

    def _on_ended(self) -> None:
        self._asking = None
        if self._again:
            self.ask()
