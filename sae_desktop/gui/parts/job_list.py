"""The list of jobs: how far each is, and the buttons to pause, stop or cancel it."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.job import Job
from sae_desktop.engine.registry import job_kind
from sae_desktop.gui.parts import motion
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.toasts import DetailsDialog
from sae_desktop.gui.state.next_steps import NextSteps
from sae_desktop.gui.state.run_again import run_again
from sae_desktop.gui.state.session import Session
from sae_desktop.words.job_text import progress_text, share_done

REFRESH_MS = 200
_LIMIT = 50
_BAR_WIDTH = 200


class JobRow(QFrame):
    """One job."""

    def __init__(self, job: Job, session: Session) -> None:
        super().__init__()
        self.job, self._session = job, session
        self._kind = job_kind(job.config)
        self._started_again = False
        self.setProperty("card", "true")
        self.setAccessibleName(job.title)
        title = ElidedLabel(job.title)
        title.setProperty("role", "heading")
        self._state = ElidedLabel(chars=30)
        self._state.setProperty("role", "muted")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setMinimumWidth(_BAR_WIDTH)
        self._bar.setAccessibleName(f"Progress of {job.title}")
        self._pause = push_button("Pause", self._pause_or_resume, icon="pause", flat=True)
        self._stop = push_button(
            "Stop and keep",
            job.stop_and_keep,
            icon="stop",
            flat=True,
            tip=self._kind.stops,
        )
        self._cancel = push_button("Cancel", job.cancel, icon="x", flat=True)
        self._again = push_button(job.again, self._start_again, icon="play", flat=True)
        self._steps = NextSteps.of(session)
        self.next = push_button("", self._take_step, icon="arrow-right", flat=True)
        self._details = push_button("Details", self._show_details, flat=True)
        self._log_button = push_button("Log", self._toggle_log, icon="list", flat=True)
        self._log = QPlainTextEdit()
        self._log.setReadOnly(True)
        self._log.setMaximumHeight(120)
        self._log.setAccessibleName(f"Log of {job.title}")
        self._log.hide()
        self._log_shown = 0
        self.copy = copy_code_button(session, lambda: job.config)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (
            self._pause,
            self._stop,
            self._cancel,
            self._again,
            self.next,
            self._details,
            self._log_button,
            self.copy,
        ):
            buttons.addWidget(button)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 8, 8)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.addWidget(title, 0, 0)
        grid.addLayout(buttons, 0, 1)
        second = QHBoxLayout()
        second.setSpacing(12)
        second.addWidget(self._bar, 1)
        second.addWidget(self._state, 100)
        grid.addLayout(second, 1, 0, 1, 2)
        grid.addWidget(self._log, 2, 0, 1, 2)
        grid.setColumnStretch(0, 1)
        self._timer = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._timer.timeout.connect(self.refresh)
        for signal in (job.progressed, job.stateChanged, job.logged):
            signal.connect(self._schedule)
        self.refresh()

    def _schedule(self, _message: object = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Show the job's state as it is now."""
        job, running = self.job, not self.job.ended
        share = share_done(job.progress)
        if job.state == "finished":
            share = 1.0
        motion.show_share(self._bar, share if job.state == "running" else share or 0.0)
        self._bar.setVisible(running)
        text = progress_text(job.state, job.progress, job.asked)
        if job.error is not None:
            text = f"{text} · {job.error.what}"
        self._state.setText(text)
        paused = job.state == "paused" or job.asked == "pause"
        self._pause.setText("Resume" if paused else "Pause")
        self._pause.setAccessibleName(self._pause.text())
        self._pause.setVisible(running and job.state != "queued")
        self._stop.setVisible(running and bool(self._kind.stops))
        self._cancel.setVisible(running)
        ended_early = job.state in ("failed", "cancelled")
        self._again.setVisible(ended_early and not self._started_again)
        step = self._steps.after(job)
        self.next.setText("" if step is None else step.button)
        self.next.setAccessibleName(self.next.text())
        self.next.setVisible(step is not None)
        self._details.setVisible(job.error is not None)
        self._log_button.setVisible(bool(job.log_lines))
        if self._log.isVisible() and len(job.log_lines) != self._log_shown:
            self._log_shown = len(job.log_lines)
            self._log.setPlainText("\n".join(job.log_lines))
            self._log.verticalScrollBar().setValue(self._log.verticalScrollBar().maximum())

    def _pause_or_resume(self) -> None:
        if self.job.state == "paused" or self.job.asked == "pause":
            self.job.resume()
        else:
            self.job.pause()

    def _take_step(self) -> None:
        step = self._steps.after(self.job)
        if step is not None:
            self._steps.taken.emit(step)

    def _start_again(self) -> None:
        self._started_again = run_again(self._session, self.job) is not None
        self.refresh()

    def _toggle_log(self) -> None:
        self._log.setVisible(not self._log.isVisible())
        self._log_shown = -1
        self.refresh()

    def _show_details(self) -> None:
        if self.job.error is not None:
            DetailsDialog(self.job.error, self.window()).open()


class JobList(QScrollArea):
    """Every job of this start of the program that changes something, newest first."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("Jobs")
        self._rows: list[JobRow] = []
        inside = QWidget()
        self._layout = QVBoxLayout(inside)
        self._layout.setContentsMargins(12, 8, 12, 8)
        self._layout.setSpacing(8)
        self._empty = label("No jobs have run yet. Start one in Harvest or Train.", "muted")
        self._layout.addWidget(self._empty)
        self._layout.addStretch(1)
        self.setWidget(inside)
        self._session = session
        session.client.jobAdded.connect(self._on_job_added)

    def rows(self) -> list[JobRow]:
        return list(self._rows)

    def _on_job_added(self, job: Job) -> None:
        if job.quiet:
            return
        self._empty.hide()
        row = JobRow(job, self._session)
        self._rows.insert(0, row)
        self._layout.insertWidget(0, row)
        for old in self._rows[_LIMIT:]:
            if old.job.ended:
                self._rows.remove(old)
                old.deleteLater()
