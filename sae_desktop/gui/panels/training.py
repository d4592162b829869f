"""The Training panel: settings, live curves, density, runs to overlay."""

from __future__ import annotations

import logging

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import JobMetrics
from sae_desktop.errors import UserError
from sae_desktop.gui.actions import ActionInfo
from sae_desktop.gui.advice import advice
from sae_desktop.gui.curve_buffer import CurveBuffer
from sae_desktop.gui.job_list import JobRow
from sae_desktop.gui.panels.run_list import RunList
from sae_desktop.gui.panels.training_settings import TrainingSettings
from sae_desktop.gui.session import Session
from sae_desktop.gui.settings import Settings
from sae_desktop.gui.training_draft import default_name, problems, summary
from sae_desktop.gui.widgets.curve_stack import CurveStack
from sae_desktop.gui.widgets.density_plot import DensityPlot
from sae_desktop.gui.widgets.empty_state import EmptyState
from sae_desktop.gui.widgets.feature_samples import FeatureSamples
from sae_desktop.gui.widgets.labels import label, push_button
from sae_desktop.gui.workspace import DockInfo
from sae_desktop.training.config import TrainConfig, TrainResult
from sae_desktop.training.run_folder import RUN_LOG
from sae_desktop.training.run_log import RunCurves, read_run

_LOG = logging.getLogger(__name__)
SNAPSHOT_MS = 2_000
"""How often the log of a running training is looked at for a new density histogram."""


class TrainingPanel(QWidget):
    """The middle: curves and the running job. Settings, density and runs are docks."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self._session = session
        self._settings = settings
        self._live: Job | None = None
        self._live_config: TrainConfig | None = None
        self.setAccessibleName("Training")
        self.form = TrainingSettings()
        self.curves = CurveStack(settings.log_axes)
        self.density = DensityPlot()
        self.samples = FeatureSamples()
        self.density.samplesShown.connect(self.samples.show_samples)
        self.runs = RunList()
        self._job_place = QVBoxLayout()
        self._job_place.setContentsMargins(8, 8, 8, 0)
        self._no_store = EmptyState(
            "A dictionary is trained on a model’s activations; the project has none yet.",
            "Harvest activations",
            lambda: session.show_workspace("harvest"),
            icon="leaf",
        )
        self._no_run = EmptyState(
            "Curves appear here when a training runs.",
            "Start the training",
            self.start,
            icon="play",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._job_place)
        layout.addWidget(self._no_store, 1)
        layout.addWidget(self._no_run, 1)
        layout.addWidget(self.curves, 1)
        self._left = self._settings_dock()
        self.setFocusProxy(self.form.fields["features"])
        self._snapshot = QTimer(self, interval=SNAPSHOT_MS)
        self._snapshot.timeout.connect(self._read_snapshots)
        self._connect()
        self._on_project_changed()

    def _connect(self) -> None:
        session = self._session
        self.form.changed.connect(self._on_changed)
        self.runs.shownChanged.connect(self._on_runs_shown)
        self.curves.logAxesChanged.connect(self._on_log_axes)
        session.projectChanged.connect(self._on_project_changed)
        session.contentsChanged.connect(self._on_contents_changed)
        session.writableChanged.connect(self._on_changed)
        session.selectionChanged.connect(self._on_selection_changed)
        session.trainRequested.connect(self.form.choose_store)
        session.client.jobAdded.connect(self._on_job_added)
        session.client.stateChanged.connect(self._on_changed)

    def action_infos(self) -> list[ActionInfo]:
        return [
            ActionInfo(
                "train.start",
                "Start the training",
                "play",
                "Ctrl+Shift+T",
                self.start,
                lambda: self.start_button.isEnabled(),
            ),
            ActionInfo(
                "train.pause",
                "Pause or resume the training",
                "pause",
                "Ctrl+Shift+P",
                self._pause_or_resume,
                self._is_live,
            ),
            ActionInfo(
                "train.stop",
                "Stop the training and keep the dictionary",
                "stop",
                "Ctrl+Shift+K",
                self._stop_and_keep,
                self._is_live,
            ),
            ActionInfo(
                "train.copy_image",
                "Copy the curves as an image",
                "image",
                "",
                self.curves.copy_image,
            ),
            ActionInfo(
                "train.copy_data", "Copy the curves’ data", "copy", "", self.curves.copy_data
            ),
            ActionInfo(
                "train.whole_run", "Show the whole run", "arrows-out", "", self.curves.show_all
            ),
        ]

    def _is_live(self) -> bool:
        return self._live is not None and not self._live.ended

    def docks(self) -> list[DockInfo]:
        """Return what lies around the curves."""
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        return [
            DockInfo("settings", "Settings", self._left, left, 300),
            DockInfo("density", "How often features fire", self.density, right, 320),
            DockInfo("samples", "Features so far", self.samples, right, 320, below="density"),
            DockInfo("runs", "Runs", self.runs, right, 320, tabbed_with="samples"),
        ]

    def _settings_dock(self) -> QWidget:
        box = QWidget()
        self._summary = label("", "small", wrap=True)
        self.start_button = push_button(
            "Start the training", self.start, icon="play", primary=True, tip="Ctrl+Shift+T"
        )
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(self._summary)
        row = QHBoxLayout()
        row.addWidget(self.start_button, 1)
        foot.addLayout(row)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.form, 1)
        column.addLayout(foot)
        return box

    # ------------------------------------------------------------------ settings
    def config(self) -> TrainConfig:
        """Return what the settings say."""
        project = self._session.project
        return self.form.config(str(project.path) if project else "")

    def _on_changed(self, _value: object = None) -> None:
        inventory, config = self._session.inventory, self.config()
        taken = [item.name for item in inventory.dictionaries]
        self.form.suggest_name(default_name(config.architecture, config.features, taken))
        config = self.config()
        found = problems(config, inventory.stores, inventory.dictionaries)
        # An empty project is no mistake: the middle says what to do.
        self.form.show_problems(found if inventory.stores else {})
        reason = self._blocked(found)
        self.start_button.setEnabled(not reason)
        self.start_button.setToolTip(reason or "Ctrl+Shift+T")
        store = next((s for s in inventory.stores if s.name == config.activations), None)
        self._summary.setText(reason or summary(config, store))

    def _blocked(self, found: dict[str, str]) -> str:
        if self._session.project is None:
            return "Open or make a project first."
        if self._session.client.state in ("crashed", "stopped"):
            return "The engine is not running: restart it."
        if self._session.read_only:
            return "The project is read-only: training needs one that can be written."
        if self._is_live():
            return "A training is running."
        return next(iter(found.values()), "")

    def _on_log_axes(self, axes: list[str]) -> None:
        self._settings.log_axes = axes

    # ------------------------------------------------------------------ project
    def _on_project_changed(self) -> None:
        for name in list(self.curves.runs):
            self.curves.hide_run(name)
        self.density.show_run(None)
        self.runs.show_runs([], set())
        self._on_contents_changed()

    def _on_contents_changed(self) -> None:
        inventory = self._session.inventory
        self.form.show_stores(inventory.stores, self._session.store)
        names = [item.name for item in inventory.dictionaries if item.rows]
        if self._live_config is not None and self._is_live():
            names = sorted({*names, self._live_config.name})
        for gone in set(self.curves.runs) - set(names):
            self.curves.hide_run(gone)
        if names and not self.curves.runs:
            self._overlay(
                self._session.dictionary if self._session.dictionary in names else names[-1]
            )
        self._show_runs(names)
        self._on_changed()

    def _on_selection_changed(self) -> None:
        name = self._session.dictionary
        if name and name in self.runs.names() and name not in self.curves.runs:
            self._overlay(name)
            self._show_runs(self.runs.names())

    def _show_runs(self, names: list[str]) -> None:
        self.runs.show_runs(names, set(self.curves.runs), self.curves.colour_of)
        self.curves.setVisible(bool(self.curves.runs))
        stores = bool(self._session.inventory.stores)
        self._no_run.setVisible(stores and not self.curves.runs)
        self._no_store.setVisible(not stores and not self.curves.runs)

    def _on_runs_shown(self, shown: set[str]) -> None:
        for name in set(self.curves.runs) - shown:
            self.curves.hide_run(name)
        for name in shown - set(self.curves.runs):
            self._overlay(name)
        self._show_runs(self.runs.names())

    def _overlay(self, name: str) -> None:
        run = self._read(name)
        if run is not None:
            self.curves.show_run(name, CurveBuffer.of_run(run))
            self.density.show_run(run)

    def _read(self, name: str) -> RunCurves | None:
        project = self._session.project
        if project is None:
            return None
        try:
            return read_run(project.dictionary_path(name) / RUN_LOG)
        except (UserError, OSError) as error:
            # A run that has just begun has no log yet; its live points draw the curves.
            _LOG.info("the log of run %s cannot be read: %s", name, error)
            return None

    # ------------------------------------------------------------------ running
    def start(self) -> None:
        """Start the training as it is set."""
        inventory = self._session.inventory
        if not self._blocked(problems(self.config(), inventory.stores, inventory.dictionaries)):
            self._session.run(self.config())

    def _pause_or_resume(self) -> None:
        if self._live is not None:
            (self._live.resume if self._live.state == "paused" else self._live.pause)()

    def _stop_and_keep(self) -> None:
        if self._live is not None:
            self._live.stop_and_keep()

    def _on_job_added(self, job: Job) -> None:
        if not isinstance(job.config, TrainConfig):
            return
        self._live, self._live_config = job, job.config
        name = job.config.name
        run = self._read(name)  # of a resumed run
        buffer = CurveBuffer.of_run(run) if run is not None else CurveBuffer()
        self.curves.show_run(name, buffer)
        self._show_runs(sorted({*self.runs.names(), name}))
        self._show_job(job)
        job.metricLogged.connect(lambda message: self.take_points(name, message))
        job.finished.connect(self._on_finished)
        job.stateChanged.connect(self._on_job_state)
        self._snapshot.start()
        self._on_changed()

    def _show_job(self, job: Job) -> None:
        while self._job_place.count():
            item = self._job_place.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._job_place.addWidget(JobRow(job))

    def take_points(self, name: str, message: JobMetrics) -> None:
        """Append the points of a running training to its curves."""
        run = self.curves.runs.get(name)
        if run is None:  # its curves are switched off; the log on disk has them
            return
        for step, values in zip(message.steps, message.values, strict=True):
            run.buffer.append({"step": float(step), **values})
        self.curves.schedule()

    def _read_snapshots(self) -> None:
        config = self._live_config
        if config is None or not self.isVisible():
            return
        self.density.show_run(self._read(config.name))
        run = self.curves.runs.get(config.name)
        if run is not None:
            self.curves.set_advice(advice(config, run.buffer))

    def _on_job_state(self, _state: object) -> None:
        if self._live is not None and self._live.ended:
            self._snapshot.stop()
            self._read_snapshots()
        self._on_changed()

    def _on_finished(self, result: TrainResult) -> None:
        self.form.forget_name()
        how = "stopped early and kept" if result.stopped_early else "trained"
        self._session.notify(
            f"“{result.name}” is {how}: FVU {result.fvu:.3f} at L0 {result.l0:.1f}."
        )
        self._on_changed()
