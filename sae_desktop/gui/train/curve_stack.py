"""Training curves under one another: one x axis, one cross-hair, one read-out."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QLabel, QMenu, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.curve_bar import CurveBar
from sae_desktop.gui.parts.curve_plot import CurvePlot, RunLine
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.plot_image import copy_image, save_image
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training.run_log import RunChange
from sae_desktop.words.amounts import elide_middle, short_count
from sae_desktop.words.curve_buffer import CurveBuffer
from sae_desktop.words.curve_files import curves_table
from sae_desktop.words.curve_info import CURVE_OF, X_UNITS, CurveView
from sae_desktop.words.run_changes import change_text, merged
from sae_desktop.words.set_words import member_text

REDRAW_MS = 40
"""One plot is drawn at a time: all at once would hold the window up for a few frames."""
_BOUNDS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Where the axis of a growing run may end, in powers of ten: each move redraws every plot."""
_NAME_LENGTH = 36
_MOST_READ = 6
"""Values that stand beside one another above a curve; of more the least and the largest do."""
_MOST_NAMED = 8
"""Runs named above the curves; the table names all."""


def _value_text(value: float) -> str:
    return short_count(value) if abs(value) >= 10_000 else f"{value:.4g}"


def axis_end(value: float) -> float:
    """Return the round number at or above `value` at which the axis ends."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(bound * power for bound in _BOUNDS if bound * power >= value)


def _coloured(text: str, colour: QColor) -> str:
    """Return a text as rich text that breaks after it and not within."""
    whole = html.escape(text).replace(" ", "&nbsp;").replace("-", "\u2011")
    return f'<span style="color:{colour.name()}">{whole}</span>'


def _legend_text(run: RunLine) -> str:
    return _coloured(f"━ {elide_middle(run.name, _NAME_LENGTH)}", run.colour)


def _legend_of_layers(layers: Sequence[RunLine]) -> str:
    """Return how the layers of a set are drawn, from the first’s colour to the last’s."""
    if len(layers) == 1:
        return _legend_text(layers[0])
    ordered = sorted(layers, key=lambda run: run.share or 0.0)
    name = _coloured(
        f"“{elide_middle(_set_of(layers[0]), _NAME_LENGTH)}”:", theme.palette().muted_text
    )
    first, last = (
        _coloured(member_text(run.name).lower(), run.colour) for run in (ordered[0], ordered[-1])
    )
    strokes = "".join(_coloured("━", run.colour) for run in ordered)
    return f"{name}&nbsp;{first}&nbsp;{strokes}&nbsp;{last}"


def _set_of(layer: RunLine) -> str:
    return layer.name.rpartition(".")[0]


class CurveStack(QWidget):
    """The chosen curves of all shown runs, each drawn a few times a second while they grow."""

    viewChanged = Signal(object)
    """CurveView."""

    def __init__(self, view: CurveView, exports: QMenu | None = None) -> None:
        """`exports` are the ways out of the program; copies to the clipboard are added."""
        super().__init__()
        self.runs: dict[str, RunLine] = {}
        self.plots: dict[str, CurvePlot] = {}
        """Every plot that was ever shown; those not chosen are hidden."""
        self._hover: float | None = None
        self._advice: dict[str, str] = {}
        self._waiting: list[str] = []
        self._follow = True
        self._range = (0.0, 0.0)
        self._inside = QWidget()
        self._legend = QLabel()
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setWordWrap(True)
        self._legend.setContentsMargins(8, 2, 8, 2)
        self._column = QVBoxLayout(self._inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self._legend)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._inside)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._exports = exports if exports is not None else QMenu(self)
        self._exports.addAction("Copy image", self.copy_image)
        self._exports.addAction("Copy data", self.copy_data)
        self.bar = CurveBar(view, self._exports)
        self.bar.viewChanged.connect(self._on_view_changed)
        self.bar.wholeRunWanted.connect(self.show_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.bar)
        layout.addWidget(area, 1)
        self._timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._timer.timeout.connect(self._draw_next)
        theme.manager().themeChanged.connect(self._on_theme_changed)
        self._arrange()

    @property
    def view(self) -> CurveView:
        """What is drawn, and how."""
        return self.bar.view

    # ------------------------------------------------------------------ plots
    def _arrange(self) -> None:
        """Show the chosen plots; only the last names the x axis."""
        shown = self.view.shown
        for place, column in enumerate(shown):
            if column not in self.plots:
                self._add_plot(column)
            self._column.removeWidget(self.plots[column])
            self._column.insertWidget(place + 1, self.plots[column], 1)
        for column, plot in self.plots.items():
            plot.setVisible(column in shown)
            plot.show_axis(self.view.axis, last=bool(shown) and column == shown[-1])
        self.show_changes()

    def _add_plot(self, column: str) -> None:
        plot = CurvePlot(CURVE_OF[column], logarithmic=column in self.view.log_axes)
        plot.hovered.connect(self._on_hovered)
        plot.movedByHand.connect(lambda: self._on_moved_by_hand(column))
        plot.logToggled.connect(self._on_log_toggled)
        if self._range[1] > self._range[0]:
            plot.plot.setXRange(*self._range, padding=0)
        plot.show_advice(self._advice.get(column, ""))
        self.plots[column] = plot

    def _on_view_changed(self, view: CurveView) -> None:
        self._hover = None
        self._arrange()
        self.show_all()
        self.schedule()
        self.viewChanged.emit(view)

    def _on_log_toggled(self, _on: bool) -> None:
        logs = {c for c, plot in self.plots.items() if plot.log_switch.isChecked()}
        self.bar.view = CurveView(
            self.view.shown, frozenset(logs), self.view.axis, self.view.smoothing
        )
        self.viewChanged.emit(self.bar.view)

    # ------------------------------------------------------------------ runs
    def show_run(self, name: str, buffer: CurveBuffer, share: float | None = None) -> None:
        """Draw a run, or draw it again from another buffer.

        `share`: of a layer of a set, how far it lies from the first (0) to the last (1).
        """
        before = self.runs.get(name)
        self.hide_run(name)
        used = {run.number for run in self.runs.values()}
        number = next(n for n in range(len(used) + 1) if n not in used)
        self.runs[name] = RunLine(name, buffer, before.number if before else number, share)
        self.show_changes()
        self.schedule()

    def replace_points(self, name: str, buffer: CurveBuffer) -> None:
        """Draw a shown run from another buffer, in the colour it has."""
        self.runs[name].buffer = buffer
        self.show_changes()
        self.schedule()

    def hide_run(self, name: str) -> None:
        """Stop drawing a run."""
        run = self.runs.pop(name, None)
        if run is not None:
            for plot in self.plots.values():
                plot.remove(run)
            self.show_changes()
            self.schedule()

    def colour_of(self, name: str) -> str:
        """Return the colour of a shown run as #RRGGBB; empty for one that is not shown."""
        run = self.runs.get(name)
        return run.colour.name() if run is not None else ""

    def set_shares(self, share_of: Callable[[str], float | None]) -> None:
        """Colour the layers of sets by where they lie, once more of them are known."""
        moved = [run for run in self.runs.values() if run.share != share_of(run.name)]
        for run in moved:
            run.share = share_of(run.name)
            for plot in self.plots.values():
                plot.dress_run(run)
        if moved:
            self.schedule()

    def set_changes(self, name: str, changes: Sequence[RunChange]) -> None:
        """Mark where settings of a run were changed while it ran."""
        run = self.runs.get(name)
        if run is not None and run.buffer.changes != list(changes):
            run.buffer.changes = list(changes)
            self.show_changes()

    def show_changes(self) -> None:
        """Draw a line where a setting was changed; the topmost plot says which."""
        marks = [
            (run.buffer.change_x(change, self.view.axis), change_text(change), run.colour)
            for run in self._of_changes()
            for change in merged(run.buffer.changes)
        ]
        marks = [mark for mark in marks if math.isfinite(mark[0])]
        for column in self.view.shown:
            self.plots[column].show_marks(marks, named=column == self.view.shown[0])

    def _of_changes(self) -> list[RunLine]:
        """Return the runs whose changes are marked: of a set one layer, since all have the same."""
        seen: dict[str, RunLine] = {}
        for run in self.runs.values():
            seen.setdefault(run.name if run.share is None else f"{_set_of(run)}.", run)
        return list(seen.values())

    def schedule(self) -> None:
        """Draw soon, one plot after the other."""
        self._waiting += [column for column in self.view.shown if column not in self._waiting]
        if not self._timer.isActive():
            self._timer.start()

    def _draw_next(self) -> None:
        if self._waiting:
            self._draw(self._waiting.pop(0))
        if self._waiting:
            self._timer.start()
        else:
            self._finish_drawing()

    def redraw(self) -> None:
        """Hand new points to all plots at once."""
        self._waiting.clear()
        for column in self.view.shown:
            self._draw(column)
        self._finish_drawing()

    def _draw(self, column: str) -> None:
        for run in self.runs.values():
            self.plots[column].draw(run, self.view)

    def _finish_drawing(self) -> None:
        self._fit()
        self._show_readouts()
        self._show_legend()
        self.bar.show_measured({c for run in self.runs.values() for c in run.buffer.measured()})

    def _fit(self) -> None:
        if not self._follow:
            return
        end = axis_end(
            max((run.buffer.end(self.view.axis) for run in self.runs.values()), default=0)
        )
        wanted = (-0.01 * end, 1.01 * end)
        if wanted != self._range:
            self._set_range(wanted)

    def _set_range(self, wanted: tuple[float, float], but: str = "") -> None:
        self._range = wanted
        for column, plot in self.plots.items():
            if column != but:
                plot.plot.setXRange(*wanted, padding=0)

    def _on_moved_by_hand(self, column: str) -> None:
        self._follow = False
        low, high = self.plots[column].plot.viewRange()[0]
        self._set_range((float(low), float(high)), but=column)

    def show_all(self) -> None:
        """Let every axis span all there is, and follow what comes."""
        self._follow, self._range = True, (0.0, 0.0)
        self._fit()
        for plot in self.plots.values():
            plot.plot.enableAutoRange(axis="y")

    def set_advice(self, advice: dict[str, str]) -> None:
        """Put a sentence under the curves it concerns."""
        self._advice = advice
        for column, plot in self.plots.items():
            plot.show_advice(advice.get(column, ""))

    # ------------------------------------------------------------------ read-out
    def _on_hovered(self, x: float | None) -> None:
        self._hover = x
        for column in self.view.shown:
            self.plots[column].show_hair(x)
        self._show_readouts()

    def _show_readouts(self) -> None:
        x, axis = self._hover, self.view.axis
        where = "" if x is None else f"at {short_count(max(x, 0))} {X_UNITS[axis]}"
        self.bar.position.setText(where)
        for column in self.view.shown:
            values, texts, lines = [], [], []
            for run in self.runs.values():
                value = run.buffer.last(column)
                if x is not None:
                    value = run.buffer.value_at(column, x, axis)
                if value is not None:
                    colour, text = run.colour.name(), _value_text(value)
                    values.append(value)
                    texts.append(f'<span style="color:{colour}">{text}</span>')
                    lines.append(f"{text}  {run.name}")
            shown = "&nbsp;&nbsp;".join(texts)
            if len(texts) > _MOST_READ:
                shown = f"{_value_text(min(values))} to {_value_text(max(values))}"
            self.plots[column].readout.setText(shown)
            self.plots[column].readout.setToolTip(plain_tip("\n".join(lines)))

    def _show_legend(self) -> None:
        sets: dict[str, list[RunLine]] = {}
        for run in self.runs.values():
            if run.share is not None:
                sets.setdefault(_set_of(run), []).append(run)
        others = [run for run in self.runs.values() if run.share is None]
        names = [_legend_of_layers(layers) for layers in sets.values()]
        names += [_legend_text(run) for run in others[:_MOST_NAMED]]
        if len(others) > _MOST_NAMED:
            names.append(f"and&nbsp;{len(others) - _MOST_NAMED}&nbsp;more")
        self._legend.setText(" &nbsp; ".join(names))
        self._legend.setToolTip(plain_tip("\n".join(self.runs)))
        self._legend.setVisible(bool(names))

    def _on_theme_changed(self) -> None:
        for plot in self.plots.values():
            plot.dress()
            for run in self.runs.values():
                plot.dress_run(run)
        self.show_changes()
        self._show_readouts()
        self._show_legend()

    # ------------------------------------------------------------------ ways out
    def copy_image(self) -> None:
        copy_image(self._inside)

    def copy_data(self) -> None:
        """Put the points of every shown run on the clipboard, tab-separated."""
        QGuiApplication.clipboard().setText(self._table("\t"))

    def save_image(self, path: Path) -> None:
        """Write the curves as PNG or SVG. Raises UserError when they cannot be written."""
        save_image(self._inside, path)

    def save_data(self, path: Path) -> None:
        """Write the points of every shown run as CSV. Raises UserError when that fails."""
        write_bytes(path, self._table(",").encode())

    def _table(self, delimiter: str) -> str:
        runs = {name: run.buffer for name, run in self.runs.items()}
        return curves_table(runs, delimiter=delimiter)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Whole run", self.show_all)
        menu.addActions(self._exports.actions())
        menu.popup(event.globalPos())
