"""A comparison or a calibration under way: how far it is, and Cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.words.job_text import progress_text, share_done

if TYPE_CHECKING:
    from sae_desktop.client.job import Job

_PARTS = 1000


class RunningStrip(QWidget):
    """Shown while something runs; of several the one that was started last."""

    def __init__(self) -> None:
        super().__init__()
        self._jobs: list[Job] = []
        self.told = ElidedLabel(chars=12)
        self.bar = QProgressBar()
        self.bar.setRange(0, _PARTS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How far it is")
        self.cancel_button = push_button("Cancel", self.cancel, icon="x", tip="Nothing is kept")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 0)
        row.setSpacing(8)
        row.addWidget(self.told, 3)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel_button)
        self.hide()

    @property
    def job(self) -> Job | None:
        """What is shown."""
        return self._jobs[-1] if self._jobs else None

    def follow(self, job: Job) -> None:
        """Show a job until it has ended."""
        self._jobs.append(job)
        job.progressed.connect(lambda _progress: self._show())
        job.stateChanged.connect(lambda _state: self._on_state(job))
        self._show()

    def cancel(self) -> None:
        """Cancel what is shown."""
        if self.job is not None:
            self.job.cancel()
            self._show()

    def _on_state(self, job: Job) -> None:
        if job.ended and job in self._jobs:
            self._jobs.remove(job)
        self._show()

    def _show(self) -> None:
        job = self.job
        self.setVisible(job is not None)
        if job is None:
            return
        self.told.setText(f"{job.title}: {progress_text(job.state, job.progress, job.asked or '')}")
        self.bar.setValue(round(_PARTS * (share_done(job.progress) or 0.0)))
        self.cancel_button.setEnabled(job.asked != "cancel")
