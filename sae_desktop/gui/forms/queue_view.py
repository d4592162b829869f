"""Requests to a model while they are made: how far, how fast, for how much, and what failed."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import JobMetrics
from sae_desktop.engine.registry import job_kind
from sae_desktop.gui.parts import icons, motion
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.run_again import run_again
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.queue.asking import CAP
from sae_desktop.labels.queue.limits import limits_of
from sae_desktop.labels.queue.progress import QueueProgress, from_metrics
from sae_desktop.words.amounts import exact_count, short_count
from sae_desktop.words.job_text import ASKED_NAMES
from sae_desktop.words.queue_text import (
    cost_text,
    failures_text,
    left_text,
    notes_text,
    rate_text,
    summary_text,
)

REFRESH_MS = 200
_COLUMNS = 4
_DEAREST = 1_000_000.0
_FIGURES = (
    "Answered", "Failed", "Waiting", "Answered before",
    "Tokens", "Cost", "Speed", "Time left",
)  # fmt: skip
_NOTHING = (
    "No requests have been made to a model since the program started. Once a model names or "
    "judges features, you see here how far it is, what it costs and what failed."
)
_CANCEL = (
    "End at once, without waiting for requests under way. Answers that have come stay in the "
    "project, and are not paid for again"
)
_PAUSED = "Paused. What was already sent is still answered; nothing more is sent until you resume."


class QueueView(QWidget):
    """Shows the latest job that asks a model, whichever started it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setAccessibleName("Requests to a model")
        self._session = session
        self.job: Job | None = None
        self.progress = QueueProgress()
        self._lines_shown = 0
        self._nothing = label(_NOTHING, "muted", wrap=True)
        self._card = self._make_card()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._nothing)
        column.addWidget(self._card)
        column.addStretch(1)
        self._timer = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._timer.timeout.connect(self.refresh)
        session.client.jobAdded.connect(self._on_job_added)
        self.refresh()

    # ------------------------------------------------------------------ parts
    def _make_card(self) -> QWidget:
        card = QFrame()
        card.setProperty("card", "true")
        self.title = ElidedLabel()
        self.title.setProperty("role", "heading")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the requests")
        self.said = label("", wrap=True, selectable=True)
        self.failures = label("", "warning", wrap=True, selectable=True)
        self.notes = label("", "muted", wrap=True, selectable=True)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumHeight(120)
        self.log.setAccessibleName("Log of the requests")
        column = QVBoxLayout(card)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.bar)
        column.addLayout(self._make_figures())
        column.addWidget(self._make_cap())
        column.addLayout(self._make_buttons())  # above what comes and goes: they stay in place
        for widget in (self.said, self.failures, self.notes):
            column.addWidget(widget)
        column.addWidget(self.log)
        return card

    def _make_figures(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(0)
        self.figures: dict[str, QLabel] = {}
        for number, name in enumerate(_FIGURES):
            row, column = divmod(number, _COLUMNS)
            value = label("–", "figure")
            caption = label(name, "small")
            value.setAccessibleName(name)
            self.figures[name] = value
            grid.addWidget(caption, 3 * row, column)
            grid.addWidget(value, 3 * row + 1, column)
            grid.setColumnStretch(column, 1)
        grid.setRowMinimumHeight(2, 8)
        return grid

    def _make_cap(self) -> QWidget:
        self._cap_row = QWidget()
        self.cap = NumberField(0.0, 0.0, _DEAREST)
        self.cap.setSpecialValueText("no limit")
        self.cap.setAccessibleName("Spend at most")
        caption = label("Spend at most")
        caption.setBuddy(self.cap)
        self.change_cap = push_button("Change the limit", self._change_cap)
        row = QHBoxLayout(self._cap_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(caption)
        row.addWidget(self.cap)
        row.addWidget(self.change_cap)
        row.addStretch(1)
        self.cap.valueChanged.connect(self._on_cap_typed)
        self.cap.problemChanged.connect(self._on_cap_typed)
        return self._cap_row

    def _make_buttons(self) -> QHBoxLayout:
        self.pause = push_button("Pause", self._pause_or_resume, icon="pause")
        self.stop = push_button("Stop and keep", self._stop, icon="stop")
        self.cancel = push_button("Cancel", self._cancel, icon="x", tip=_CANCEL)
        self.again = push_button("Resume", self._start_again, icon="play")
        self.show_log = push_button("Show the log", self._toggle_log, icon="list", flat=True)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.pause, self.stop, self.cancel, self.again, self.show_log):
            row.addWidget(button)
        row.addStretch(1)
        return row

    # ------------------------------------------------------------------ what is heard
    def _on_job_added(self, job: Job) -> None:
        if limits_of(job.config) is not None and not job.quiet:
            self.show_job(job)

    def show_job(self, job: Job) -> None:
        """Show a job that asks a model, from now on."""
        if self.job is not None:
            for signal, slot in self._heard(self.job):
                signal.disconnect(slot)
        limits = limits_of(job.config)
        assert limits is not None
        self.job, self.progress = job, QueueProgress(most_cost=limits.most_cost)
        self._priced = bool(limits.price_in or limits.price_out)
        self._lines_shown = 0
        self.cap.setValue(limits.most_cost)
        self.log.hide()
        for signal, slot in self._heard(job):
            signal.connect(slot)
        self.refresh()

    def _heard(self, job: Job):
        yield job.metricLogged, self._on_metrics
        yield job.stateChanged, self._schedule
        yield job.logged, self._schedule

    def _on_metrics(self, metrics: JobMetrics) -> None:
        if metrics.values:
            self.progress = from_metrics(metrics.values[-1])
        self._schedule()

    def _schedule(self, _message: object = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    # ------------------------------------------------------------------ what is shown
    def refresh(self) -> None:
        """Show the job as it is now."""
        job, told = self.job, self.progress
        self._nothing.setVisible(job is None)
        self._card.setVisible(job is not None)
        if job is None:
            return
        self.title.setText(job.title)
        running = not job.ended
        known = told.total > 0 or told.ended != ""
        total = told.done if told.ended else told.total
        motion.show_share(self.bar, told.done / max(total, 1) if known else None)
        self.bar.setVisible(running)
        for name, text in zip(_FIGURES, self._figures(job.state == "running"), strict=True):
            self.figures[name].setText(text)
        self._say(job)
        self._offer(job, running)
        if len(job.log_lines) != self._lines_shown and self.log.isVisible():
            self._lines_shown = len(job.log_lines)
            self.log.setPlainText("\n".join(job.log_lines))
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())

    def _figures(self, moves: bool) -> tuple[str, ...]:
        told = self.progress
        return (
            exact_count(told.answered),
            exact_count(told.failed),
            exact_count(told.waiting) if told.total else "–",
            exact_count(told.kept),
            short_count(told.tokens),
            cost_text(told),
            rate_text(told) if moves else "–",
            left_text(told) if moves else "–",
        )

    def _say(self, job: Job) -> None:
        said = ""
        if job.asked:
            said = ASKED_NAMES[job.asked]
        elif job.state == "queued":
            said = "Waiting for other jobs to finish."
        elif job.state == "paused":
            said = _PAUSED
        elif job.error is not None:
            error = job.error
            said = " ".join(filter(None, (error.what, error.kept, error.next_step)))
        elif job.state == "cancelled":
            said = "Cancelled. All answers that had come are kept, and are not asked for again."
        elif job.ended:
            said = summary_text(self.progress)
        ended_well = job.state == "finished"
        for widget, text in (
            (self.said, said),
            (self.failures, "" if ended_well else failures_text(self.progress)),
            (self.notes, "" if ended_well else notes_text(self.progress)),
        ):
            widget.setText(text)
            widget.setVisible(bool(text))

    def _offer(self, job: Job, running: bool) -> None:
        paused = job.state == "paused" or job.asked == "pause"
        self.pause.setText("Resume" if paused else "Pause")
        self.pause.setAccessibleName(self.pause.text())
        icons.set_icon(self.pause, "play" if paused else "pause")
        self.pause.setVisible(running and job.state != "queued")
        self.stop.setVisible(running and bool(job_kind(job.config).stops))
        self.stop.setToolTip(plain_tip(job_kind(job.config).stops))
        self.cancel.setVisible(running)
        unfinished = job.ended and not (
            job.state == "finished" and self.progress.ended in ("", "all")
        )
        self.again.setText(job.again)
        self.again.setAccessibleName(job.again)
        self.again.setVisible(unfinished)
        self.show_log.setVisible(bool(job.log_lines))
        self.show_log.setText("Hide the log" if self.log.isVisible() else "Show the log")
        self.show_log.setAccessibleName(self.show_log.text())
        self._cap_row.setVisible(running and self._priced)
        self._on_cap_typed()

    # ------------------------------------------------------------------ what is asked
    def _on_cap_typed(self, _value: object = None) -> None:
        changed = self.cap.value() != self.progress.most_cost
        self.change_cap.setEnabled(changed and not self.cap.problem)

    def _change_cap(self) -> None:
        if self.job is not None and not self.cap.problem:
            self.job.adjust({CAP: self.cap.value()})

    def _pause_or_resume(self) -> None:
        if self.job is None:
            return
        if self.job.state == "paused" or self.job.asked == "pause":
            self.job.resume()
        else:
            self.job.pause()

    def _stop(self) -> None:
        if self.job is not None:
            self.job.stop_and_keep()

    def _cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def _start_again(self) -> None:
        if self.job is not None:
            run_again(self._session, self.job)

    def _toggle_log(self) -> None:
        self.log.setVisible(self.log.isHidden())
        self._lines_shown = -1
        self.refresh()
