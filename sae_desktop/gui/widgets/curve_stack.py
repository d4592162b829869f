"""Training curves under one another: one x axis, one cross-hair, one read-out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui import theme
from sae_desktop.gui.amounts import count_text
from sae_desktop.gui.curve_buffer import CURVES, CurveBuffer, CurveInfo
from sae_desktop.gui.widgets.labels import label, push_button
from sae_desktop.gui.widgets.plot_style import (
    CountAxis,
    ValueAxis,
    copy_image,
    curve_pen,
    dress,
    plot_view,
    run_colour,
)

REDRAW_MS = 40
"""One plot is drawn at a time: all six at once would hold the window up for a few frames."""
_BOUNDS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Where the axis of a growing run may end, in powers of ten: each move redraws every plot."""
_LEFT = 64
_LEAST_HEIGHT = 84


def _value_text(value: float) -> str:
    return count_text(value) if abs(value) >= 10_000 else f"{value:.4g}"


def axis_end(rows: float) -> float:
    """Return the round number at or above `rows` at which the axis ends."""
    if rows <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rows))
    return next(bound * power for bound in _BOUNDS if bound * power >= rows)


@dataclass
class RunLine:
    """A run drawn in every plot."""

    name: str
    buffer: CurveBuffer
    number: int
    items: dict[str, pg.PlotDataItem] = field(default_factory=dict)
    drawn: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Column → (points, last rows) that its item shows."""


class CurvePlot(QWidget):
    """One curve: title with read-out, log switch, plot, advice."""

    hovered = Signal(object)
    """Rows under the pointer, or None when it left."""

    def __init__(self, info: CurveInfo, *, logarithmic: bool, last: bool) -> None:
        super().__init__()
        self.info = info
        self.title = label(f"{info.title}" + (f" ({info.unit})" if info.unit else ""), "heading")
        self.readout = QLabel()
        self.readout.setTextFormat(Qt.TextFormat.RichText)
        self.log_switch = QCheckBox("log")
        self.log_switch.setAccessibleName(f"{info.title} over a logarithmic axis")
        self.log_switch.setVisible(info.logarithmic)
        self.advice = label("", "warning", wrap=True)
        self.advice.hide()
        bottom, left = CountAxis(orientation="bottom"), ValueAxis(orientation="left")
        left.setStyle(hideOverlappingLabels=True)
        axes = {"bottom": bottom, "left": left}
        self.view = plot_view(axes)
        self.view.setAccessibleName(f"Curve of {info.title}")
        self.view.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setClipToView(True)
        self.plot.setDownsampling(auto=True, mode="peak")
        self.plot.getAxis("left").setWidth(_LEFT)
        if info.least_span:
            self.plot.setLimits(yMin=-0.02 * info.least_span, minYRange=1.04 * info.least_span)
        if last:
            self.plot.setLabel("bottom", "rows consumed")
        else:
            bottom.setStyle(showValues=False)
        self.hair = pg.InfiniteLine(angle=90, movable=False)
        self.hair.hide()
        self.plot.addItem(self.hair, ignoreBounds=True)
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        self.log_switch.toggled.connect(lambda on: self.plot.setLogMode(x=False, y=on))
        self.log_switch.setChecked(logarithmic and info.logarithmic)
        head = QHBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.setSpacing(12)
        head.addWidget(self.title)
        head.addWidget(self.readout, 1)
        head.addWidget(self.log_switch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        column.addWidget(self.advice)
        self.advice.setContentsMargins(8, 0, 8, 0)
        self.setMinimumHeight(_LEAST_HEIGHT + (40 if last else 0))
        self.dress()

    def dress(self) -> None:
        dress(self.plot)
        self.hair.setPen(curve_pen(theme.palette().muted_text, Qt.PenStyle.DashLine))

    def _on_moved(self, position: QPointF) -> None:
        if self.plot.sceneBoundingRect().contains(position):
            self.hovered.emit(self.plot.vb.mapSceneToView(position).x())

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit(None)


class CurveStack(QWidget):
    """All curves of all shown runs, each drawn a few times a second while they grow."""

    logAxesChanged = Signal(object)
    """list of columns drawn logarithmically."""

    def __init__(self, log_axes: list[str]) -> None:
        super().__init__()
        self.runs: dict[str, RunLine] = {}
        self._hover: float | None = None
        self._waiting: list[str] = []
        self._follow = True
        self._end = 0.0
        self.plots: dict[str, CurvePlot] = {}
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for info in CURVES:
            plot = CurvePlot(info, logarithmic=info.column in log_axes, last=info is CURVES[-1])
            plot.hovered.connect(self._on_hovered)
            plot.plot.enableAutoRange(axis="x", enable=False)
            plot.plot.vb.sigRangeChangedManually.connect(self._on_moved_by_hand)
            plot.log_switch.toggled.connect(self._on_log_toggled)
            if self.plots:
                plot.plot.setXLink(self.plots[CURVES[0].column].plot)
            self.plots[info.column] = plot
            column.addWidget(plot, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inside)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._inside = inside
        row = QHBoxLayout()
        row.setContentsMargins(8, 4, 8, 4)
        self._position = label("", "muted")
        row.addWidget(self._position, 1)
        row.addWidget(push_button("Whole run", self.show_all, icon="arrows-out", flat=True))
        row.addWidget(push_button("Copy image", self.copy_image, icon="image", flat=True))
        row.addWidget(push_button("Copy data", self.copy_data, icon="copy", flat=True))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(area, 1)
        self._timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._timer.timeout.connect(self._draw_next)
        theme.manager().themeChanged.connect(self._on_theme_changed)

    # ------------------------------------------------------------------ runs
    def show_run(self, name: str, buffer: CurveBuffer) -> None:
        """Draw a run, or draw it anew from another buffer."""
        self.hide_run(name)
        used = {run.number for run in self.runs.values()}
        number = next(n for n in range(len(used) + 1) if n not in used)
        run = RunLine(name, buffer, number)
        for column, plot in self.plots.items():
            item = pg.PlotDataItem(pen=curve_pen(run_colour(number)), connect="finite")
            plot.plot.addItem(item)
            run.items[column] = item
        self.runs[name] = run
        self.schedule()

    def hide_run(self, name: str) -> None:
        """Stop drawing a run."""
        run = self.runs.pop(name, None)
        if run is not None:
            for column, item in run.items.items():
                self.plots[column].plot.removeItem(item)
            self.schedule()

    def colour_of(self, name: str) -> str:
        """Return the colour of a shown run as #RRGGBB; empty for one that is not shown."""
        run = self.runs.get(name)
        return run_colour(run.number).name() if run is not None else ""

    def schedule(self) -> None:
        """Draw soon, one plot after the other."""
        self._waiting += [column for column in self.plots if column not in self._waiting]
        if not self._timer.isActive():
            self._timer.start()

    def _draw_next(self) -> None:
        if self._waiting:
            self._draw(self._waiting.pop(0))
        if self._waiting:
            self._timer.start()
        else:
            self._fit()
            self._show_readouts()

    def redraw(self) -> None:
        """Hand new points to all plots at once."""
        self._waiting.clear()
        for column in self.plots:
            self._draw(column)
        self._fit()
        self._show_readouts()

    def _draw(self, column: str) -> None:
        for run in self.runs.values():
            x, y = run.buffer.curve(column)
            state = (len(x), float(x[-1]) if len(x) else 0.0)
            if run.drawn.get(column) == state:
                continue
            run.drawn[column] = state
            if self.plots[column].info.logarithmic:
                keep = y > 0
                x, y = x[keep], y[keep]
            # Copies: the buffer goes on growing in place.
            run.items[column].setData(np.array(x), np.array(y))

    def _fit(self) -> None:
        if not self._follow:
            return
        end = axis_end(
            max((run.buffer.last("rows") or 0.0 for run in self.runs.values()), default=0)
        )
        if end != self._end:
            self._end = end
            self.plots[CURVES[0].column].plot.setXRange(0.0, end, padding=0.01)

    def _on_moved_by_hand(self, _axes: object) -> None:
        self._follow = False

    def show_all(self) -> None:
        """Let every axis span all there is, and follow what comes."""
        self._follow, self._end = True, 0.0
        self._fit()
        for plot in self.plots.values():
            plot.plot.enableAutoRange(axis="y")

    def set_advice(self, advice: dict[str, str]) -> None:
        """Put a sentence under the curves it concerns."""
        for column, plot in self.plots.items():
            text = advice.get(column, "")
            plot.advice.setText(text)
            plot.advice.setVisible(bool(text))

    # ------------------------------------------------------------------ read-out
    def _on_hovered(self, rows: float | None) -> None:
        self._hover = rows
        for plot in self.plots.values():
            plot.hair.setVisible(rows is not None)
            if rows is not None:
                plot.hair.setPos(rows)
        self._show_readouts()

    def _show_readouts(self) -> None:
        rows = self._hover
        self._position.setText("" if rows is None else f"at {count_text(max(rows, 0))} rows")
        texts: dict[str, list[str]] = {column: [] for column in self.plots}
        for run in self.runs.values():
            if rows is None:
                values = {column: run.buffer.last(column) for column in self.plots}
            else:
                values = dict(run.buffer.at(rows))
            for column, value in values.items():
                if value is not None:
                    colour = run_colour(run.number).name()
                    texts[column].append(
                        f'<span style="color:{colour}">{_value_text(value)}</span>'
                    )
        for column, plot in self.plots.items():
            plot.readout.setText("&nbsp;&nbsp;".join(texts[column]))

    def _on_log_toggled(self, _on: bool) -> None:
        axes = [c for c, plot in self.plots.items() if plot.log_switch.isChecked()]
        self.logAxesChanged.emit(axes)

    def _on_theme_changed(self) -> None:
        for plot in self.plots.values():
            plot.dress()
        for run in self.runs.values():
            for item in run.items.values():
                item.setPen(curve_pen(run_colour(run.number)))
        self._show_readouts()

    # ------------------------------------------------------------------ copying
    def copy_image(self) -> None:
        copy_image(self._inside)

    def copy_data(self) -> None:
        """Put the points of every shown run on the clipboard, tab-separated."""
        parts = [f"# {run.name}\n{run.buffer.table()}" for run in self.runs.values()]
        QGuiApplication.clipboard().setText("\n".join(parts))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Whole run", self.show_all)
        menu.addAction("Copy image", self.copy_image)
        menu.addAction("Copy data", self.copy_data)
        menu.popup(event.globalPos())
