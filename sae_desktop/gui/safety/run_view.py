"""A monitor over a corpus or a log of chats: how often it fires, on what, whether text drifts."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.described import default
from sae_desktop.engine.protocol import JobProgress
from sae_desktop.gui.forms.text_source import TextSource
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import CountField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.text_box import local_files
from sae_desktop.gui.safety.hits_view import HitsView
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.config import RunMonitorsConfig, RunMonitorsResult
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.safety.monitors.hits_file import (
    RunRecord,
    last_run,
    read_hits,
    read_runs,
    run_file_name,
)
from sae_desktop.words.job_text import progress_text
from sae_desktop.words.monitor_text import run_name, run_text

SHOWN = 50
"""Hits that are painted; the file has the others."""


class RunView(QWidget):
    """A text to choose, a button, and the runs that were made of the monitor."""

    recalibrationRequested = Signal(str)
    """The corpus on which the monitor is to be calibrated again."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self._session = session
        self._monitor: Monitor | None = None
        self._records: list[RunRecord] = []
        self.asked = AskedJob(session, self)
        self._reading = Background(self)
        self._hits = Background(self)
        self.source = TextSource(session, "Text to run it over")
        self.documents = CountField(default(RunMonitorsConfig, "documents"), 0)
        self.documents.setSpecialValueText("all")
        self.documents.setAccessibleName("Documents read at most")
        self.run_button = push_button("Run over this text", self.run, icon="play", primary=True)
        self.stop_button = push_button("Cancel", self.asked.cancel)
        self.state = label("", "small", wrap=True)
        self.runs = QComboBox()
        self.runs.setAccessibleName("Run that is shown")
        self.figures = label("", wrap=True, selectable=True)
        self.drift = label("", "warning", wrap=True)
        explain(self.drift, "Drift")
        self.again_button = push_button(
            "Calibrate on this text…", self._on_again, icon="arrows-clockwise",
            tip="Find the threshold again on this text, where it is ordinary",
        )  # fmt: skip
        self.hits = HitsView("Hits in their contexts", session)
        self.empty = label("", "muted", wrap=True)
        self._build()
        self.source.changed.connect(self._show_buttons)
        self.runs.currentIndexChanged.connect(self._show_run)
        self.asked.busyChanged.connect(self._on_busy)
        self.asked.answered.connect(self._on_ran)
        self._reading.answered.connect(self._on_read)
        self._hits.answered.connect(self._on_hits)
        session.client.stateChanged.connect(lambda _state: self._show_buttons())
        self._show_run()

    def _build(self) -> None:
        ask = QHBoxLayout()
        ask.setSpacing(8)
        ask.addWidget(self.source, 1)
        side = QVBoxLayout()
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label("Documents"))
        row.addWidget(self.documents)
        row.addWidget(self.run_button)
        row.addWidget(self.stop_button)
        side.addLayout(row)
        side.addStretch(1)
        ask.addLayout(side)
        chosen = QHBoxLayout()
        chosen.setSpacing(8)
        self._runs_label = label("Run", "small")
        chosen.addWidget(self._runs_label)
        chosen.addWidget(self.runs, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(ask)
        column.addWidget(self.state)
        column.addLayout(chosen)
        for widget in (self.figures, self.drift):
            column.addWidget(widget)
        column.addWidget(self.again_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.empty)
        column.addWidget(self.hits, 1000)
        column.addStretch(1)  # without hits nothing else spreads over the height

    # ------------------------------------------------------------------ what is shown
    def show_monitor(self, monitor: Monitor | None) -> None:
        """Show the runs of a monitor, the last first."""
        self._monitor = monitor
        self._records = []
        self.runs.clear()
        self.source.set_model(monitor.model if monitor is not None else "")
        self.look()
        self._show_buttons()

    def look(self) -> None:
        """Read the runs again."""
        project, monitor = self._session.project, self._monitor
        if project is not None and monitor is not None:
            self._reading.run(monitor.name, lambda: read_runs(project))

    def _on_read(self, answer: tuple[object, list[RunRecord]]) -> None:
        if self._monitor is None or answer[0] != self._monitor.name:
            return
        own = [record for record in answer[1] if last_run([record], self._monitor.name)]
        if own == self._records:
            return
        self._records = own
        with QSignalBlocker(self.runs):
            self.runs.clear()
            self.runs.addItems([run_name(record) for record in own])
        self._show_run()

    @property
    def record(self) -> RunRecord | None:
        """The run that is shown."""
        place = self.runs.currentIndex()
        return self._records[place] if 0 <= place < len(self._records) else None

    def _show_run(self, _index: int = 0) -> None:
        record, monitor = self.record, self._monitor
        found = last_run([record], monitor.name) if record and monitor else None
        for widget in (self.runs, self._runs_label, self.figures):
            widget.setVisible(found is not None)
        self.drift.setVisible(found is not None and bool(found[1].drift))
        self.again_button.setVisible(self.drift.isVisibleTo(self))
        self.hits.setVisible(found is not None and found[1].fired > 0)
        self.empty.setVisible(not self.hits.isVisibleTo(self))
        if found is None or record is None or monitor is None:
            self.empty.setText(
                "It has not been run yet. Choose a corpus or a log of chats above, or drop one "
                "here: you will see how often it fires, and each hit in its context."
            )
            self.hits.show_hits([])
            return
        self.figures.setText(run_text(found[1]))
        self.drift.setText(found[1].drift)
        self.empty.setText("It fired on nothing in this text.")
        project = self._session.project
        if project is not None and found[1].fired:
            path, name = project.hits_path(record.name), monitor.name
            self._hits.run((name, record.name), lambda: read_hits(path, name, SHOWN))

    def _on_hits(self, answer: tuple[object, list[object]]) -> None:
        record, monitor = self.record, self._monitor
        if record is not None and monitor is not None and answer[0] == (monitor.name, record.name):
            self.hits.show_hits(answer[1])  # type: ignore[arg-type]

    # ------------------------------------------------------------------ running
    def run(self) -> None:
        """Run the monitor over the text."""
        monitor = self._monitor
        if monitor is None or not self.run_button.isEnabled():
            return
        config = RunMonitorsConfig(
            project=self._session.project_path, monitors=[monitor.name],
            name=run_file_name(monitor.name, self.source.corpus),
            corpus=self.source.corpus, documents=self.documents.value(),
        )  # fmt: skip
        if self.asked.ask(config):
            job = self.asked.job
            assert job is not None
            job.progressed.connect(self._on_progress)

    def _on_progress(self, progress: JobProgress) -> None:
        self.state.setText(progress_text("running", progress))

    def _on_busy(self, busy: bool) -> None:
        self.state.setText("Reading the model…" if busy else "")
        self._show_buttons()

    def _on_ran(self, result: RunMonitorsResult) -> None:
        del result
        self.look()
        self._session.refresh()

    def _show_buttons(self) -> None:
        busy = self.asked.busy
        ready = self._monitor is not None and bool(self.source.corpus) and not busy
        self.run_button.setEnabled(ready and not self._session.engine_stopped)
        tip = "" if self.source.corpus else "Choose a text first"
        self.run_button.setToolTip(plain_tip(tip or "Read the text and keep where it fires"))
        self.stop_button.setVisible(busy)
        self.state.setVisible(busy)

    def _on_again(self) -> None:
        if self.record is not None:
            self.recalibrationRequested.emit(self.record.corpus)

    # ------------------------------------------------------------------ drops
    def take(self, path: Path) -> None:
        """Choose a file or folder."""
        self.source.take(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.source.dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        self.take(local_files(event.mimeData())[0])
        event.acceptProposedAction()
