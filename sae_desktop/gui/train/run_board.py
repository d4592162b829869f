"""The runs of the project: which are listed, which are drawn, and what is known of each."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.train.curve_exports import save_as
from sae_desktop.gui.train.curve_stack import CurveStack
from sae_desktop.gui.train.density_plot import DensityPlot
from sae_desktop.gui.train.evaluation_view import EvaluationView
from sae_desktop.gui.train.feature_samples import FeatureSamples
from sae_desktop.gui.train.layers_plot import LayersPlot
from sae_desktop.gui.train.pareto_plot import ParetoPlot
from sae_desktop.gui.train.run_actions import RunActions
from sae_desktop.gui.train.run_list import RunList
from sae_desktop.gui.train.scaling_plot import ScalingPlot
from sae_desktop.gui.train.set_runs import SetRuns
from sae_desktop.gui.train.sweep_draft import config_of_row
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_folder import RUN_LOG
from sae_desktop.training.run_log import RunCurves, read_run
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.sweeps.sweep_config import SweepRecord, read_sweep
from sae_desktop.words.curve_buffer import CurveBuffer
from sae_desktop.words.curve_info import CurveView, curve_view
from sae_desktop.words.inventory import DictionaryItem
from sae_desktop.words.layer_figures import layer_figures
from sae_desktop.words.run_figures import (
    RunRow,
    row_of_begun,
    rows_of_runs,
    rows_of_sweep,
)

_LOG = logging.getLogger(__name__)


class RunBoard(QObject):
    """Owns the curves, the histograms, the samples, the figures and the table of runs."""

    drawnChanged = Signal()
    """Other runs are drawn or listed, or another one is looked at."""
    copyRequested = Signal(object)
    """TrainConfig of a run whose settings are to be those of a new one."""

    def __init__(self, session: Session, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._settings, self._parent = session, settings, parent
        self._live: dict[str, TrainConfig] = {}
        self._chosen = ""
        self._followed = ""
        """The sweep that runs."""
        self._seen: set[str] = set()
        """Its runs that were drawn when they began."""
        self.heeded: dict[str, list[str]] = {}
        """Architecture → settings that matter to it and not to every other, once known."""
        exports = QMenu("Export", parent)
        exports.addAction("Save as PNG or SVG…", self.save_image)
        exports.addAction("Save as CSV…", self.save_data)
        view = curve_view(
            settings.shown_curves, settings.log_axes, settings.curve_axis, settings.smoothing
        )
        self.curves = CurveStack(view, exports)
        self.density = DensityPlot()
        self.samples = FeatureSamples()
        self.density.samplesShown.connect(self.samples.show_samples)
        self.evaluation = EvaluationView(lambda: self.actions.do("evaluate", self._chosen))
        self.pareto, self.scaling, self.layers = ParetoPlot(), ScalingPlot(), LayersPlot()
        self.pareto.picked.connect(self.draw)
        self.layers.picked.connect(self.draw)
        self.sets = SetRuns(session)
        self._sweeps: dict[str, SweepRecord] = {}
        """Tables of sweeps; that of a running one is read again and again."""
        self.runs = RunList(self.curves.colour_of)
        self.actions = RunActions(session, parent, self)
        self.runs.set_allowed(self.actions.allowed)
        self.runs.toggled.connect(self._on_toggled)
        self.runs.chosen.connect(self.choose)
        self.runs.listed.connect(self._on_listed)
        self.runs.requested.connect(self.actions.do)
        self.curves.viewChanged.connect(self._on_view_changed)

    def _on_view_changed(self, view: CurveView) -> None:
        self._settings.shown_curves = list(view.shown)
        self._settings.log_axes = sorted(view.log_axes)
        self._settings.curve_axis = view.axis
        self._settings.smoothing = view.smoothing

    # ------------------------------------------------------------------ content
    def clear(self) -> None:
        """Forget the runs of a project that was left."""
        for name in list(self.curves.runs):
            self.curves.hide_run(name)
        self._live.clear()
        self._sweeps.clear()
        self._chosen = self._followed = ""
        self.sets.unfollow()
        self.density.show_run(None)
        self.runs.show_groups([], [])
        self.runs.show_runs([])

    def refresh(self) -> None:
        """List the project's runs as they are now."""
        names = set(self._known()) | self._seen
        for gone in set(self.curves.runs) - names:
            self.curves.hide_run(gone)
        self._sweeps |= {record.config.name: record for record in self._session.inventory.sweeps}
        kept = {record.config.name for record in self._session.inventory.sweeps}
        if self._followed:
            kept.add(self._followed)
        self._sweeps = {name: record for name, record in self._sweeps.items() if name in kept}
        self._show_groups()
        self._list()
        if not self.curves.runs:
            self._draw_first()
        self._show_chosen()

    def _show_groups(self) -> None:
        self.runs.show_groups(sorted(self._sweeps), self.sets.names())

    def _known(self) -> list[str]:
        dictionaries = self._session.inventory.dictionaries
        alone = [item.name for item in dictionaries if item.rows]
        return [*alone, *self.sets.runs(), *self._live]

    def listed(self) -> list[RunRow]:
        """Return the runs of the table."""
        inventory, running = self._session.inventory, list(self._live)
        record = self._sweeps.get(self.runs.sweep)
        if record is not None:
            return rows_of_sweep(record, inventory.dictionaries)
        if self.runs.set:
            return self.sets.rows(self.runs.set, self.heeded)
        rows = rows_of_runs(inventory.dictionaries, running, self.heeded)
        known = {row.name for row in rows}
        begun = [config for name, config in self._live.items() if name not in known]
        return [*rows, *(row_of_begun(config, self.heeded) for config in begun)]

    def _list(self) -> None:
        self.runs.show_runs(self.listed())
        self.runs.choose(self._chosen)
        record = self._sweeps.get(self.runs.sweep)
        self.scaling.show_sweep(self.runs.sweep, record.rows if record else [])
        self.show_layers()
        self._tell_drawn()

    def show_layers(self) -> None:
        """Show the figures by layer of the set that is listed."""
        item = self.sets.item(self.runs.set)
        found = layer_figures(item, self._last) if item is not None else []
        self.layers.show_figures(found, self._chosen)

    def _last(self, run: str, column: str) -> float | None:
        line = self.curves.runs.get(run)
        return line.buffer.last(column) if line is not None else None

    def _tell_drawn(self) -> None:
        """Show which runs are drawn now, wherever that is to be seen."""
        self.curves.set_shares(self.sets.share)
        self.runs.model.refresh()
        colours = {name: self.curves.colour_of(name) for name in self.curves.runs}
        self.pareto.show_runs(self.runs.model.runs(), colours)
        self.drawnChanged.emit()

    def _draw_first(self) -> None:
        rows = [row.name for row in self.listed() if row.curves]
        sets = self.sets.names()
        if not rows and not self.runs.set and sets:
            self.runs.choose_set(sets[-1])
        elif rows and self.runs.set:
            self.draw_only(rows)
        elif rows:
            wanted = self._session.dictionary
            self.draw(wanted if wanted in rows else rows[-1])

    def _on_listed(self) -> None:
        self._list()
        if self.runs.sweep or self.runs.set:
            self.draw_only([row.name for row in self.listed() if row.curves])

    @property
    def chosen(self) -> str:
        """The run that is looked at; empty for none."""
        return self._chosen

    # ------------------------------------------------------------------ drawing
    def draw(self, name: str) -> None:
        """Draw a run's curves over the others, and show its histograms."""
        if name not in self.curves.runs:
            run = self.read(name)
            if run is not None:
                buffer = CurveBuffer.of_run(run, self._features(name))
                self.curves.show_run(name, buffer, self.sets.share(name))
        self.choose(name)
        self._tell_drawn()

    def draw_only(self, names: Sequence[str]) -> None:
        """Draw these runs and no others."""
        for name in set(self.curves.runs) - set(names):
            self.curves.hide_run(name)
        for name in names:
            self.draw(name)
        self._tell_drawn()

    def kept(self) -> dict[str, list[str]]:
        """Return what is drawn, the run that is looked at last."""
        others = [name for name in self.curves.runs if name != self._chosen]
        return {"drawn": [*others, self._chosen] if self._chosen else others}

    def give(self, kept: dict[str, list[str]]) -> None:
        """Draw again what was drawn, as far as it is still there."""
        if there := [name for name in kept["drawn"] if name in self._known()]:
            self.draw_only(there)

    def _on_toggled(self, name: str, on: bool) -> None:
        if on:
            self.draw(name)
            return
        self.curves.hide_run(name)
        self._tell_drawn()

    def choose(self, name: str) -> None:
        """Show the histograms, samples and figures of a run."""
        if name == self._chosen:
            return
        self._chosen = name
        self.runs.choose(name)
        self.density.show_run(self.read(name))
        self._show_chosen()
        self.show_layers()
        self.drawnChanged.emit()

    def _show_chosen(self) -> None:
        writable = not self._session.read_only
        self.evaluation.show_run(self.item(self._chosen), writable=writable)

    def read(self, name: str) -> RunCurves | None:
        """Read a run's log; None for one that has none yet, or a damaged one."""
        project = self._session.project
        if project is None or not name:
            return None
        try:
            return read_run(project.dictionary_path(name) / RUN_LOG)
        except (UserError, OSError) as error:
            # A run that has just begun has no log yet; its live points draw the curves.
            _LOG.info("the log of run %s cannot be read: %s", name, error)
            return None

    def item(self, name: str) -> DictionaryItem | None:
        return self._session.inventory.dictionary(name) if name else None

    def config_of(self, name: str) -> TrainConfig | None:
        """Return the settings of a run, running or on disk."""
        item = self.item(name)
        for record in self._sweeps.values():
            if item is None and name in [row.dictionary for row in record.rows]:
                return config_of_row(record, name)
        return self._live.get(name) or (item.train if item else None)

    def _features(self, name: str) -> int:
        config, item = self.config_of(name), self.item(name)
        if config is not None:
            return config.features
        return item.summary.features if item and item.summary else 0

    # ------------------------------------------------------------------ a running training
    def follow(self, config: TrainConfig) -> None:
        """Draw a run that has started, or continues, as its points come."""
        self._live[config.name] = config
        run = self.read(config.name)
        buffer = CurveBuffer.of_run(run, config.features) if run else CurveBuffer(config.features)
        self.curves.show_run(config.name, buffer)
        self._chosen = config.name
        self.density.show_run(run)
        self._list()
        self.runs.choose(config.name)
        self._show_chosen()

    def take_points(
        self, name: str, steps: Sequence[int], values: Sequence[dict[str, float]]
    ) -> None:
        """Append the points of a running training to its curves."""
        run = self.curves.runs.get(name)
        if run is None:  # its curves are switched off; the log on disk has them
            return
        for step, point in zip(steps, values, strict=True):
            run.buffer.append({"step": float(step), **point})
        self.curves.schedule()

    def look(self, name: str) -> None:
        """Show what the log of a running training has that its points have not."""
        run = self.read(name)
        if run is None:
            return
        if name == self._chosen:
            self.density.show_run(run)
        self.curves.set_changes(name, run.changes)

    def unfollow(self, name: str) -> None:
        """A training has ended."""
        self._live.pop(name, None)
        self._list()

    # ------------------------------------------------------------------ a running sweep
    def follow_sweep(self, name: str) -> None:
        """List the runs of a sweep that has started, and draw them as they grow."""
        self._followed = name
        self.look_at_sweep()

    def look_at_sweep(self) -> None:
        """Show how far the sweep is; the logs of its runs hold their curves."""
        project, name = self._session.project, self._followed
        if project is None or not name or not project.sweep_path(name).is_file():
            return
        try:
            record = read_sweep(project.sweep_path(name))
        except UserError as error:  # it is written anew right now
            _LOG.info("the table of sweep %s cannot be read: %s", name, error)
            return
        first = name not in self._sweeps
        self._sweeps[name] = record
        if first:
            self._show_groups()
            self.runs.choose_sweep(name)
        running = [row.dictionary for row in record.rows if row.state == "running"]
        for run in running:
            self._grow(run)
        if self.runs.sweep == name:
            self._list()

    def _grow(self, name: str) -> None:
        run = self.read(name)
        if run is None:
            return
        buffer = CurveBuffer.of_run(run, self._features(name))
        if name in self.curves.runs:
            self.curves.replace_points(name, buffer)
        elif self._is_followed() and name not in self._seen:
            # Once: a person may switch it off.
            self.curves.show_run(name, buffer, self.sets.share(name))
        self._seen.add(name)
        if name == self._chosen:
            self.density.show_run(run)

    def unfollow_sweep(self) -> None:
        """The sweep has ended."""
        self.look_at_sweep()
        self._followed = ""
        self._seen.clear()

    def _is_followed(self) -> bool:
        """Whether what is listed is the sweep or the set that runs."""
        if self.runs.set:
            return self.runs.set == self.sets.followed
        return bool(self._followed) and self.runs.sweep == self._followed

    # ------------------------------------------------------------------ a set in training
    def follow_set(self, config: TrainSetConfig) -> None:
        """List the layers of a set that has started, and draw them as they grow."""
        self.sets.follow(config)
        self.look_at_set()

    def look_at_set(self) -> None:
        """Read the log of one layer more, and show what it says."""
        run = self.sets.next_run()
        if not run:
            return
        if self.sets.just_begun():
            self._show_groups()
            self.runs.choose_set(self.sets.followed)
            self.choose(run)
        self._grow(run)
        if self.runs.set == self.sets.followed:
            self._list()

    def unfollow_set(self) -> None:
        """The set’s training has ended."""
        self.sets.unfollow()
        self._seen.clear()
        self._list()

    # ------------------------------------------------------------------ doing

    def save_image(self) -> None:
        """Ask for a file, and write the curves into it as a picture."""
        save_as(self._session, self._parent, "a picture", "curves.png", self.curves.save_image)

    def save_data(self) -> None:
        """Ask for a file, and write the points of the drawn runs into it."""
        save_as(self._session, self._parent, "data", "curves.csv", self.curves.save_data)
