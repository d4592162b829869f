"""How far a download is, narrow enough for the side of the Gallery, with a button to cancel it."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from sae_desktop.client.job import Job
from sae_desktop.gui.parts import motion
from sae_desktop.gui.parts.job_list import REFRESH_MS
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.run_again import run_again
from sae_desktop.gui.state.session import Session
from sae_desktop.words.job_text import progress_text, share_done


class DownloadCard(QFrame):
    """Of the last job that was started here; hidden before the first."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.job: Job | None = None
        self.setProperty("card", "true")
        self.setAccessibleName("Download")
        self.title = label("", "heading", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the download")
        self.state = label("", "small", wrap=True)
        self.cancel = push_button("Cancel", self._on_cancel, icon="x", flat=True)
        self.again = push_button("", self._on_again, icon="play", flat=True)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.again)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        for widget in (self.title, self.bar, self.state):
            column.addWidget(widget)
        column.addLayout(buttons)
        self._timer = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._timer.timeout.connect(self.refresh)
        self.hide()

    def follow(self, job: Job) -> None:
        """Show a job from now on."""
        if self.job is not None:
            self.job.progressed.disconnect(self._schedule)
            self.job.stateChanged.disconnect(self._schedule)
        self.job = job
        job.progressed.connect(self._schedule)
        job.stateChanged.connect(self._schedule)
        self.title.setText(job.title)
        self.again.setText(job.again)
        self.show()
        self.refresh()

    def _schedule(self, _message: object = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Show the job's state as it is now."""
        job = self.job
        if job is None:
            return
        share = share_done(job.progress)
        motion.show_share(self.bar, share if job.state == "running" else share or 0.0)
        self.bar.setVisible(not job.ended)
        told = progress_text(job.state, job.progress, job.asked)
        self.state.setText(told if job.error is None else f"{told} · {job.error.what}")
        self.cancel.setVisible(not job.ended)
        self.again.setVisible(job.state in ("failed", "cancelled"))

    def _on_cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def _on_again(self) -> None:
        job = None if self.job is None else run_again(self._session, self.job)
        if job is not None:
            self.follow(job)
