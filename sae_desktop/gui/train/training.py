"""The Training panel: settings, live curves, histograms, runs to overlay, sweeps."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import JobMetrics
from sae_desktop.gui.forms.steps import do_step
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.job_list import JobRow
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.workspace import DockInfo
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.train.benchmarks import Benchmarks
from sae_desktop.gui.train.live_controls import LiveControls
from sae_desktop.gui.train.run_board import RunBoard
from sae_desktop.gui.train.sweep_form import SweepForm
from sae_desktop.gui.train.training_setup import TrainingSetup
from sae_desktop.training.architecture_info import (
    ArchitecturesDescription,
    DescribeArchitecturesConfig,
)
from sae_desktop.training.config import (
    TrainConfig,
    TrainResult,
)
from sae_desktop.training.set_config import TrainSetConfig, TrainSetResult
from sae_desktop.training.sweeps.sweep_config import SweepConfig, settings_in_force
from sae_desktop.words.advice import advice
from sae_desktop.words.after_jobs import Action
from sae_desktop.words.amounts import elide_middle

SNAPSHOT_MS = 2_000
"""How often the log of a running training is looked at for new histograms."""
LAYER_MS = 250
"""How often one of the logs of a set in training is looked at, each in turn."""


class TrainingPanel(QWidget):
    """The middle: curves and the running job. Settings, histograms and runs are docks."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self.setObjectName("train")
        self._session = session
        self._live: Job | None = None
        self._asked = False
        self.setAccessibleName("Training")
        self.setup = TrainingSetup(session)
        self.form = self.setup.form
        self.board = RunBoard(session, settings, self)
        self.curves, self.density = self.board.curves, self.board.density
        self.runs, self.samples = self.board.runs, self.board.samples
        self._job_place = QVBoxLayout()
        self._job_place.setContentsMargins(8, 8, 8, 0)
        self._job_place.setSpacing(4)
        self.live = LiveControls()
        self.live.hide()
        self.live.applied.connect(self._adjust)
        self._trained: tuple[Action, str] | None = None
        self.index_button = push_button(
            "Build an index",
            self._build_index,
            icon="list-bullets",
            primary=True,
            tip="See what its features respond to",
        )
        self.index_button.hide()
        self.sweep = SweepForm(session, self.setup.config)
        self.benchmarks = Benchmarks(session)
        self._no_store = EmptyState(
            "A dictionary is trained on activations. The project has none yet.",
            "Harvest activations",
            lambda: session.show_workspace("harvest"),
            icon="leaf",
        )
        self._no_run = EmptyState(
            "Curves appear here while a training runs.",
            "Start the training",
            self.start,
            icon="play",
        )
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._no_store, 1)
        column.addWidget(self._no_run, 1)
        column.addWidget(self.curves, 1)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for named in (self.tabs, self.tabs.tabBar()):
            named.setAccessibleName("Curves, Pareto front, scaling law, layers, benchmarks")
        self.tabs.addTab(page, "Curves")
        self.tabs.addTab(self.board.pareto, "FVU against L0")
        self.tabs.addTab(self.board.scaling, "Scaling law")
        self.tabs.addTab(self.board.layers, "Layers")
        self.tabs.addTab(self.benchmarks, "Benchmarks")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._job_place)
        layout.addWidget(self.tabs, 1)
        self.setFocusProxy(self.form.fields["features"])
        self._snapshot = QTimer(self, interval=SNAPSHOT_MS)
        self._snapshot.timeout.connect(self._look)
        self._connect()
        self._on_project_changed()
        keep_fields(session, self, {"tab": self.tabs}, part="tab")
        keep_fields(session, self, self.sweep.axis_fields, part="sweep")
        self.setup.keep_draft(self)
        session.place.add(self, self.board.kept, self.board.give, part="drawn")
        for job in session.client.jobs:  # it ran before somebody looked here
            if not job.ended:
                self._on_job_added(job)

    def _connect(self) -> None:
        session = self._session
        self.setup.startRequested.connect(self.start)
        self.setup.changed.connect(self._on_setup_changed)
        self.board.drawnChanged.connect(self._show_middle)
        self.board.copyRequested.connect(self.setup.copy_settings)
        session.projectChanged.connect(self._on_project_changed)
        session.contentsChanged.connect(self._on_contents_changed)
        session.selectionChanged.connect(self._on_selection_changed)
        session.trainRequested.connect(self.form.choose_store)
        session.sweepRequested.connect(self.runs.choose_sweep)
        session.setRequested.connect(self.runs.choose_set)
        session.setWanted.connect(self.setup.want_set)
        session.changeRequested.connect(self._show_benchmark)
        session.client.jobAdded.connect(self._on_job_added)
        session.client.stateChanged.connect(self._on_client_state)

    def action_infos(self) -> list[ActionInfo]:
        board, curves = self.board, self.curves
        return [
            ActionInfo(
                "train.start",
                "Start the training",
                self.start,
                icon="play",
                shortcut="Ctrl+Shift+T",
                enabled_when=lambda: self.setup.start_button.isEnabled(),
            ),
            ActionInfo(
                "train.sweep",
                "Start the sweep over settings",
                self.sweep.start,
                icon="grid-four",
                enabled_when=lambda: self.sweep.start_button.isEnabled(),
            ),
            ActionInfo(
                "train.pause",
                "Pause or resume the training",
                self._pause_or_resume,
                icon="pause",
                shortcut="Ctrl+Shift+P",
                enabled_when=self._is_live,
            ),
            ActionInfo(
                "train.stop",
                "Stop the training and keep the dictionary",
                self._stop_and_keep,
                icon="stop",
                shortcut="Ctrl+Shift+K",
                enabled_when=self._is_live,
            ),
            ActionInfo(
                "train.copy_image", "Copy the curves as an image", curves.copy_image, icon="image"
            ),
            ActionInfo("train.copy_data", "Copy the curves’ data", curves.copy_data, icon="copy"),
            ActionInfo(
                "train.save_image", "Save the curves as PNG or SVG…", board.save_image, icon="image"
            ),
            ActionInfo(
                "train.save_data",
                "Save the curves as CSV…",
                board.save_data,
                icon="download-simple",
            ),
            ActionInfo(
                "train.copy_table", "Copy the table of runs", self.runs.copy_table, icon="table"
            ),
            ActionInfo("train.whole_run", "Show the whole run", curves.show_all, icon="arrows-out"),
        ]

    def docks(self) -> list[DockInfo]:
        """Return what lies around the curves."""
        areas = Qt.DockWidgetArea
        left, right = areas.LeftDockWidgetArea, areas.RightDockWidgetArea
        return [
            DockInfo("settings", "Settings", self.setup, left, 300),
            DockInfo("sweep", "Sweep over settings", self.sweep, left, 300, tabbed_with="settings"),
            DockInfo("density", "Histograms", self.density, right, 320),
            DockInfo("samples", "Features so far", self.samples, right, 320, below="density"),
            DockInfo(
                "evaluation", "Evaluation", self.board.evaluation, right, 320, tabbed_with="samples"
            ),
            DockInfo("runs", "Runs", self.runs, areas.BottomDockWidgetArea, 170),
        ]

    def _is_live(self) -> bool:
        return self._live is not None and not self._live.ended

    # ------------------------------------------------------------------ architectures
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask_architectures()

    def _on_client_state(self, _state: object) -> None:
        self._ask_architectures()
        self.setup.refresh()

    def _ask_architectures(self) -> None:
        """Ask the engine once which architectures there are, when somebody looks."""
        if self._asked or not self.isVisible() or self._session.client.state != "ready":
            return
        job = self._session.run(DescribeArchitecturesConfig())
        if job is not None:
            self._asked = True
            job.finished.connect(self._on_described)
            job.failed.connect(self._on_not_described)

    def _on_described(self, description: ArchitecturesDescription) -> None:
        self.setup.show_architectures(description.architectures)
        self.sweep.show_architectures(description.architectures)
        self.benchmarks.architectures = [info.name for info in description.architectures]
        self.board.heeded = {info.name: info.settings for info in description.architectures}
        self.board.refresh()

    def _on_not_described(self, _error: object) -> None:
        self._asked = False  # after a crash it is asked again once the engine is back

    # ------------------------------------------------------------------ project
    def _on_project_changed(self) -> None:
        self.board.clear()
        self._on_contents_changed()

    def _on_contents_changed(self) -> None:
        self.board.refresh()
        self.setup.show_contents()

    def _on_selection_changed(self) -> None:
        name = self._session.dictionary
        if name and name in self.runs.names() and name not in self.curves.runs:
            self.board.draw(name)

    def _show_benchmark(self, kind: str, name: str) -> None:
        if kind == "benchmark":
            self.tabs.setCurrentWidget(self.benchmarks)
            self.benchmarks.open(name)

    def _show_middle(self) -> None:
        self.tabs.setTabVisible(self.tabs.indexOf(self.board.layers), bool(self.runs.set))
        stores, drawn = bool(self._session.inventory.stores), bool(self.curves.runs)
        self.curves.setVisible(drawn)
        self._no_run.setVisible(stores and not drawn)
        self._no_run.button.setVisible(not self._is_live())
        self._no_store.setVisible(not stores and not drawn)
        self._advise()

    # ------------------------------------------------------------------ running
    def config(self) -> TrainConfig:
        """Return what the settings say."""
        return self.setup.config()

    def start(self) -> None:
        """Start the training as it is set."""
        if not self.setup.blocked():
            self._session.run(self.setup.request())

    def _pause_or_resume(self) -> None:
        if self._live is not None:
            (self._live.resume if self._live.state == "paused" else self._live.pause)()

    def _stop_and_keep(self) -> None:
        if self._live is not None:
            self._live.stop_and_keep()

    def _adjust(self, values: dict[str, float]) -> None:
        if self._live is not None:
            self._live.adjust(values)

    def _on_job_added(self, job: Job) -> None:
        config = job.config
        if isinstance(config, TrainConfig):
            name = config.name
            self.board.follow(config)
            job.metricLogged.connect(lambda message: self._on_points(name, message))
            job.finished.connect(self._on_finished)
        elif isinstance(config, SweepConfig):
            self.board.follow_sweep(config.name)
        elif isinstance(config, TrainSetConfig):
            self.board.follow_set(config)
            job.finished.connect(self._on_set_finished)
        else:
            return
        self._live = job
        self._show_job(job)
        job.stateChanged.connect(self._on_job_state)
        self._snapshot.start(LAYER_MS if isinstance(config, TrainSetConfig) else SNAPSHOT_MS)
        self.setup.show_live(True)
        self._show_middle()

    def _show_job(self, job: Job) -> None:
        while self._job_place.count():
            item = self._job_place.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None and widget not in (self.live, self.index_button):
                widget.hide()
                widget.deleteLater()
        self._job_place.addWidget(JobRow(job, self._session))
        self._job_place.addWidget(self.live)
        self._job_place.addWidget(self.index_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.index_button.hide()
        config = job.config.train if isinstance(job.config, TrainSetConfig) else job.config
        self.live.setVisible(isinstance(config, TrainConfig) and not job.ended)
        if isinstance(config, TrainConfig):
            chosen = self.form.architecture_named(config.architecture)
            sparsity = config.sparsity if config.sparsity is not None else chosen.default_sparsity
            self.live.begin(config.lr, sparsity, has_sparsity="sparsity" in chosen.settings)

    def _on_points(self, name: str, message: JobMetrics) -> None:
        self.board.take_points(name, message.steps, message.values)

    def _look(self) -> None:
        job = self._live
        if job is None or not self.isVisible():
            return
        if isinstance(job.config, TrainSetConfig):
            self.board.look_at_set()
            return
        if not isinstance(job.config, TrainConfig):
            self.board.look_at_sweep()
            return
        self.board.look(job.config.name)
        self._advise()

    def _advise(self) -> None:
        """Say under the curves what is off with the run that is looked at."""
        name = self.board.chosen
        run, config = self.curves.runs.get(name), self.board.config_of(name)
        if run is None or config is None:
            self.curves.set_advice({})
            return
        settings = self.form.architecture_named(config.architecture).settings
        heeds = settings_in_force(settings, config.sparsity)
        found = advice(config, run.buffer, heeds=heeds, width=self._width(config))
        if len(self.curves.runs) > 1:
            found = {column: f"“{name}”: {text}" for column, text in found.items()}
        self.curves.set_advice(found)

    def _width(self, config: TrainConfig) -> int:
        """Return how many numbers a row has that is reconstructed; 0 when unknown."""
        stores = self._session.inventory.stores
        alone = config.target == "input"
        return next((s.width for s in stores if alone and s.name == config.activations), 0)

    def _on_job_state(self, _state: object) -> None:
        job = self._live
        if job is not None and job.ended:
            self._snapshot.stop()
            self._look()
            self.live.hide()
            if isinstance(job.config, TrainConfig):
                self.board.unfollow(job.config.name)
            elif isinstance(job.config, TrainSetConfig):
                self.board.unfollow_set()
            else:
                self.board.unfollow_sweep()
        self.setup.show_live(self._is_live())

    def _on_setup_changed(self) -> None:
        self.sweep.show_blocked(self.setup.sweep_blocked())

    def _on_finished(self, result: TrainResult) -> None:
        self.form.forget_name()
        self._trained = ("index", result.name)
        self.index_button.setText(f"Build an index of “{elide_middle(result.name, 32)}”")
        self.index_button.setVisible(not self._session.read_only)
        self.setup.refresh()

    def _on_set_finished(self, result: TrainSetResult) -> None:
        self.form.forget_name()
        self._trained = ("index_set", result.name)
        self.index_button.setText(f"Index all layers of “{elide_middle(result.name, 32)}”")
        self.index_button.setVisible(not self._session.read_only)
        self.setup.refresh()

    def _build_index(self) -> None:
        """Ask for an index of what was trained last: the next step."""
        if self._trained is not None:
            do_step(self._session, *self._trained, self)
