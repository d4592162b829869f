"""The status bar: the engine at the left, what runs at the right."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QStatusBar, QWidget

from sae_desktop.client.job import Job
from sae_desktop.gui.parts import icons, motion
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.job_list import REFRESH_MS
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.said import Messages, MessagesDialog
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import time_left_text
from sae_desktop.words.job_text import engine_text, share_done

_SHOWN = 2
_BAR_WIDTH = 96


class _JobStrip(QWidget):
    """A running job in one line: title, thin bar, time left."""

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._title = ElidedLabel()
        self._title.setProperty("role", "small")
        self._title.setMaximumWidth(220)
        self._bar = QProgressBar()
        self._bar.setFixedWidth(_BAR_WIDTH)
        self._bar.setTextVisible(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._bar)

    def show_job(self, job: Job) -> None:
        share = share_done(job.progress)
        left = job.progress.seconds_left if job.progress else None
        text = job.title
        if job.state != "running":
            text += f" · {job.state}"
        elif left is not None:
            text += f" · {time_left_text(left)}"
        self._title.setText(text)
        motion.show_share(self._bar, share if job.state == "running" else share or 0.0)
        self.setAccessibleName(text)
        self.show()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()
        event.accept()


class StatusBar(QStatusBar):
    """Engine state, running jobs, and a button that opens the job list."""

    jobsClicked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setSizeGripEnabled(False)
        self._engine = ElidedLabel(chars=20)
        self._engine.setProperty("role", "small")
        explain(self._engine, "Engine")
        self._engine.setContentsMargins(12, 0, 0, 0)
        self.addWidget(self._engine, 1)
        self._delay = ElidedLabel(chars=20)
        self._delay.setProperty("role", "warning")
        self._delay.setText("Waiting to save notes: the file is busy")
        self._delay.setToolTip(
            "Another program is writing the project’s notes. What you type is kept and "
            "saved once it is done."
        )
        self._delay.hide()
        self.addPermanentWidget(self._delay)
        self._strips = [_JobStrip() for _ in range(_SHOWN)]
        for strip in self._strips:
            strip.hide()
            strip.clicked.connect(self.jobsClicked)
            self.addPermanentWidget(strip)
        self._button = push_button("No jobs", self.jobsClicked.emit, flat=True)
        icons.set_icon(self._button, "list-dashes", "muted_text")
        self.addPermanentWidget(self._button)
        self.messages = Messages(session)
        self.messages.changed.connect(self._show_messages)
        self.said = push_button("", self.open_messages, flat=True)
        icons.set_icon(self.said, "bell", "muted_text")
        self.addPermanentWidget(self.said)
        self._show_messages()
        session.notesDelayed.connect(self._delay.setVisible)
        self._timer = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._timer.timeout.connect(self.refresh)
        client = session.client
        client.stateChanged.connect(self.refresh)
        client.statusReceived.connect(self.refresh)
        client.jobAdded.connect(self._on_job_added)
        self.refresh()

    def open_messages(self) -> None:
        """Show what the window has said."""
        self.messages.mark_read()
        MessagesDialog(self.messages, self.window()).open()

    def _show_messages(self) -> None:
        unread = self.messages.unread
        self.said.setText(str(unread) if unread else "")
        self.said.setToolTip("Messages from the window")
        new = f", {unread} new" if unread else ""
        self.said.setAccessibleName(f"Messages{new}")

    def _on_job_added(self, job: Job) -> None:
        if not job.quiet:
            job.progressed.connect(self._schedule)
            job.stateChanged.connect(self._schedule)
            self._schedule()

    def _schedule(self, _message: object = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self, _message: object = None) -> None:
        """Show the engine and the jobs as they are now."""
        client = self._session.client
        self._engine.setText(engine_text(client.state, client.status))
        running = [job for job in client.jobs if not job.ended and not job.quiet]
        for number, strip in enumerate(self._strips):
            if number < len(running):
                strip.show_job(running[number])
            else:
                strip.hide()
        count = len(running)
        text = "No jobs" if not count else "1 job" if count == 1 else f"{count} jobs"
        self._button.setText(text)
        self._button.setAccessibleName(f"{text}; open the job list")
        self._button.setToolTip("Show the job list (Ctrl+J)")
