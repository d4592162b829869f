"""Jobs that follow what somebody types or drags: only the answer to the last question counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from sae_desktop.engine.protocol import JobConfig
from sae_desktop.gui.state.session import Session

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


class LatestJob(QObject):
    """Asks the engine after a pause in the questions; one question is under way at a time.

    A newer question cancels the one under way and is asked once that has ended; what the
    older one still answers is dropped. With `live` it is asked while questions keep coming:
    after `pause_ms` at the latest, the newest follows once the one under way is answered, and
    every answer is told.
    """

    answered = Signal(object)
    """The result of the last question."""
    failed = Signal(object)
    """ErrorInfo: why the last question has no answer."""
    busyChanged = Signal(bool)

    def __init__(
        self,
        session: Session,
        pause_ms: int,
        parent: QObject | None = None,
        *,
        live: bool = False,
    ) -> None:
        super().__init__(parent)
        self._session, self._live = session, live
        self._wanted: JobConfig | None = None
        self._job: Job | None = None
        self._stale = False
        self._config: JobConfig | None = None
        """The last question asked; None once it is answered or dropped."""
        self._timer = QTimer(self, singleShot=True, interval=pause_ms)
        self._timer.timeout.connect(self._ask)
        session.client.stateChanged.connect(self._on_engine_state)

    @property
    def busy(self) -> bool:
        """True from a question until its answer."""
        return self._job is not None or self._wanted is not None

    def ask(self, config: JobConfig) -> None:
        """Ask after the pause, unless something else is asked meanwhile."""
        was_busy = self.busy
        self._wanted = config
        if not self._live:
            self._stale = True
            self._timer.start()
        elif not self._timer.isActive():
            self._timer.start()
        if not was_busy:
            self.busyChanged.emit(True)

    def forget(self) -> None:
        """Ask nothing more and drop what is under way."""
        was_busy = self.busy
        self._timer.stop()
        self._wanted = self._config = None
        self._stale = True
        if self._job is not None:
            self._job.cancel()
        if was_busy and not self.busy:
            self.busyChanged.emit(False)

    def _ask(self) -> None:
        if self._wanted is None:
            return
        if self._job is not None:
            if not self._live:
                self._job.cancel()
            return
        config, self._wanted = self._wanted, None
        self._config = config
        job = self._session.run(config)
        if job is None:
            self.busyChanged.emit(False)
            return
        self._job, self._stale = job, False
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_ended)

    def _on_finished(self, result: object) -> None:
        stale = self._stale
        self._on_ended()
        if not stale:
            self._config = None
            self.answered.emit(result)

    def _on_failed(self, error: object) -> None:
        stale = self._stale
        self._on_ended()
        if not stale:
            if not self._session.engine_stopped:
                self._config = None  # the engine has answered: it would say the same again
            self.failed.emit(error)

    def _on_engine_state(self, state: object) -> None:
        """Ask again what the engine could not answer because it was not there."""
        if state == "ready" and self._config is not None and not self.busy:
            self.ask(self._config)

    def _on_ended(self, _message: object = None) -> None:
        self._job = None
        if self._wanted is None:
            self.busyChanged.emit(False)
        elif not self._timer.isActive():
            self._ask()
