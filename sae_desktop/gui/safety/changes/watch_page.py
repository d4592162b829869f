"""A watch on screen: its state, its alerts in words, its checkpoints beside the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSplitter, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.gui.safety.changes.timeline import Timeline
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.safety.change.alerts import Calibration
from sae_desktop.safety.change.config import WatchConfig, config_of
from sae_desktop.safety.change.watch_file import (
    WatchRecord,
    comparison_name,
    read_calibration,
    read_record,
)
from sae_desktop.words.amounts import share_text
from sae_desktop.words.change_curves import watch_figures
from sae_desktop.words.change_words import (
    alert_sentence,
    measure_title,
    measure_unit,
    measure_words,
    monitor_sentence,
    promise_sentence,
)
from sae_desktop.words.source_titles import model_title

if TYPE_CHECKING:
    from sae_desktop.client.job import Job

_FIRST = (
    Head("Checkpoint", "Return or a double click shows what changed by it", short=True),
    Head("Alert", "Whether an alert was raised", short=True),
)


class WatchPage(QWidget):
    """What a watch has seen, and whether it is watching now."""

    comparisonAsked = Signal(str)
    """Name of the comparison of a checkpoint."""
    deleteAsked = Signal()
    againAsked = Signal()
    calibrateAsked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.watch_page")
        self._session = session
        self.name = ""
        self.record: WatchRecord | None = None
        self.calibration: Calibration | None = None
        self._no_calibration = ""
        self._job: Job | None = None
        self.title = ElidedLabel()
        self.title.setProperty("role", "title")
        self.about = ElidedLabel()
        self.about.setProperty("role", "small")
        self.state = label("", "heading", wrap=True)
        self.alerts = label("", "error", wrap=True, selectable=True)
        self.told = label("", "small", wrap=True, selectable=True)
        self.start_button = push_button(
            "Resume watching", self.start, icon="eye",
            tip="Watch the folder again; what was seen is kept",
        )  # fmt: skip
        self.stop_button = push_button(
            "Stop watching", self.stop, icon="stop", tip="Stop, and keep what was seen"
        )
        self.calibrate_button = push_button(
            "Calibrate…", self.calibrateAsked.emit, icon="gauge",
            tip="Set from watches of harmless runs when an alert is raised",
        )  # fmt: skip
        self.more_button = push_button("More", icon="dots-three", tip="Watch another, or delete")
        menu = QMenu(self.more_button)
        menu.addAction("Watch another folder with these settings…", self.againAsked.emit)
        menu.addAction("Delete the watch…", self.deleteAsked.emit)
        self.more_button.setMenu(menu)
        self.timeline = Timeline()
        self.table = FiguresTable("Checkpoints and their scores")
        self._build()
        self.table.rowChosen.connect(self._on_chosen)
        self.table.rowPointed.connect(self.timeline.show_chosen)
        self.timeline.checkpointChosen.connect(self.table.selectRow)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title, 1)
        for button in (
            self.start_button, self.stop_button, self.calibrate_button, self.more_button,
        ):  # fmt: skip
            head.addWidget(button)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        parts.addWidget(self.timeline)
        parts.addWidget(self.table)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(self.state)
        column.addWidget(self.alerts)
        column.addWidget(self.told)
        column.addWidget(parts, 1)
        self.setFocusProxy(self.table)

    # ------------------------------------------------------------------ what is shown
    def show_watch(self, name: str) -> bool:
        """Show a watch of the project; tell whether it can be read. Its errors become toasts."""
        project = self._session.project
        if project is None:
            return False
        record = None
        try:
            # One that has only begun has written nothing yet.
            if name in project.watches() or self._running(name) is None:
                record = read_record(project.watch_path(name))
        except UserError as error:
            self._session.show_error(error)
            return False
        self.name, self.record = name, record
        self.calibration, self._no_calibration = self._calibration(project)
        self._follow(self._running(name))
        self._show()
        return True

    def _calibration(self, project: Project) -> tuple[Calibration | None, str]:
        """Return the calibration of the watch, and why there is none where one was asked for."""
        config = self.config
        if config is None or not config.calibration:
            return None, ""
        try:
            return read_calibration(project.calibration_path(config.calibration)), ""
        except UserError as error:
            return None, str(error)

    @property
    def config(self) -> WatchConfig | None:
        """What the watch was asked; None where that is not known."""
        job = self._running(self.name)
        if job is not None and isinstance(job.config, WatchConfig):
            return job.config
        return config_of(self.record.config if self.record is not None else "", WatchConfig)

    def _running(self, name: str) -> Job | None:
        for job in self._session.client.jobs:
            config = job.config
            if isinstance(config, WatchConfig) and config.name == name and not job.ended:
                return job
        return None

    def _follow(self, job: Job | None) -> None:
        if job is self._job:
            return
        self._job = job
        if job is not None:
            job.progressed.connect(lambda _progress: self._show_state())
            job.stateChanged.connect(lambda _state: self.refresh())
            job.outputReceived.connect(lambda _output: self.refresh())

    def refresh(self) -> None:
        """Read again what is kept of the watch that is shown."""
        if self.name:
            self.show_watch(self.name)

    def _show(self) -> None:
        record = self.record
        self.title.setText(self.name)
        config = self.config
        folder = record.folder if record is not None else (config.folder if config else "")
        base = f"started from “{model_title(config.base)}”" if config and config.base else ""
        self.about.setText(" · ".join(part for part in (folder, base) if part))
        watched = record.watched if record is not None else []
        self.timeline.show_figures(
            watch_figures(watched, self.calibration), [one.name for one in watched]
        )
        self._show_table()
        alerts = [alert_sentence(one.alert) for one in watched if one.alert is not None]
        self.alerts.setText("\n".join(alerts))
        self.alerts.setVisible(bool(alerts))
        self.told.setText("\n".join(self._sentences()))
        self._show_state()

    def _sentences(self) -> list[str]:
        record = self.record
        watched = len(record.watched) if record is not None else 0
        told = [self._no_calibration or promise_sentence(self.calibration, watched)]
        if record is None:
            return told
        if record.watched:
            last = record.watched[-1]
            told += [monitor_sentence(one, last.name) for one in last.monitors]
        told += [f"“{name}” was left out. {why}" for name, why in record.skipped.items()]
        return told

    def _show_table(self) -> None:
        watched = self.record.watched if self.record is not None else []
        names = list(dict.fromkeys(name for one in watched for name in one.scores))
        heads = [*_FIRST]
        for name in names:
            heads.append(
                Head(
                    measure_title(name),
                    f"Change since the checkpoint before: {measure_words(name)}, in "
                    f"{measure_unit(name)}",
                )
            )
        monitors = list(dict.fromkeys(m.monitor for one in watched for m in one.monitors))
        heads += [
            Head(f"“{name}” fires", "Share of units on which the monitor fires")
            for name in monitors
        ]
        rows, marked = [], set()
        for place, one in enumerate(watched):
            rates = {m.monitor: share_text(m.rate) for m in one.monitors}
            rows.append(
                [
                    one.name,
                    "alert" if one.alert is not None else "",
                    *(f"{one.scores[n]:#.3g}" if n in one.scores else "–" for n in names),
                    *(rates.get(name, "–") for name in monitors),
                ]
            )
            marked |= {place} if one.alert is not None else set()
        self.table.show_rows(heads, rows, marked=frozenset(marked))

    def _show_state(self) -> None:
        job = self._running(self.name)
        watched = self.record.watched if self.record is not None else []
        seen = f"{len(watched)} checkpoint{'' if len(watched) == 1 else 's'} watched"
        alerts = sum(one.alert is not None for one in watched)
        if alerts:
            seen += f", {alerts} alert{'' if alerts == 1 else 's'}"
        if job is None:
            self.state.setText(f"Not watching. {seen}.")
        else:
            what = job.progress.message if job.progress is not None else ""
            self.state.setText(f"{what or 'Starting'}. {seen}.")
        self.start_button.setVisible(job is None)
        self.start_button.setEnabled(self.config is not None)
        self.stop_button.setVisible(job is not None)
        self.stop_button.setEnabled(job is not None and job.asked != "stop")

    # ------------------------------------------------------------------ what is done
    def start(self) -> None:
        """Watch again where it ended; the project may have been moved since."""
        config = self.config
        if config is not None and self._running(self.name) is None:
            self._session.run(msgspec.structs.replace(config, project=self._session.project_path))
            self.refresh()

    def stop(self) -> None:
        """Stop watching, and keep what was seen."""
        job = self._running(self.name)
        if job is not None:
            job.stop_and_keep()

    def _on_chosen(self, row: int) -> None:
        if self.record is not None and row < len(self.record.watched):
            self.comparisonAsked.emit(comparison_name(self.name, self.record.watched[row].name))
