"""One training curve of every shown run, with its read-out, its log switch and its advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.plot_style import (
    CountAxis,
    ValueAxis,
    curve_pen,
    dress,
    faint,
    plot_view,
    run_colour,
    run_style,
)
from sae_desktop.words.curve_buffer import CurveBuffer
from sae_desktop.words.curve_info import X_TITLES, CurveInfo, CurveView, XAxis
from sae_desktop.words.smoothing import smoothed

_LEFT = 64
_LEAST_HEIGHT = 76
_AXIS_HEIGHT = 40


@dataclass
class RunLine:
    """A run drawn in every plot."""

    name: str
    buffer: CurveBuffer
    number: int
    """Which colour it has, but for a layer of a set."""
    share: float | None = None
    """Of a layer of a set: how far it lies from the first (0) to the last (1)."""
    items: dict[str, pg.PlotDataItem] = field(default_factory=dict)
    raw: dict[str, pg.PlotDataItem] = field(default_factory=dict)
    """The curve as measured, faint beneath the smoothed one."""
    drawn: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """Column → what its items show."""

    @property
    def colour(self) -> QColor:
        return run_colour(self.number) if self.share is None else theme.layer_colour(self.share)

    @property
    def style(self) -> Qt.PenStyle:
        return run_style(self.number) if self.share is None else Qt.PenStyle.SolidLine


class CurvePlot(QWidget):
    """One curve: title with read-out, log switch, plot, advice."""

    hovered = Signal(object)
    """x under the pointer, or None when it left."""
    logToggled = Signal(bool)
    movedByHand = Signal()

    def __init__(self, info: CurveInfo, *, logarithmic: bool) -> None:
        super().__init__()
        self.info = info
        self.title = label(f"{info.title}" + (f" ({info.unit})" if info.unit else ""), "heading")
        self.title.setToolTip(plain_tip(info.explanation))
        self.readout = QLabel()
        self.readout.setTextFormat(Qt.TextFormat.RichText)
        # Figures of many runs are cut off, rather than making every plot wider.
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.log_switch = QCheckBox("log")
        self.log_switch.setAccessibleName(f"{info.title} on a logarithmic axis")
        if not info.logarithmic:  # showing it now would open a window of its own
            self.log_switch.hide()
        self.advice = label("", "warning", wrap=True)
        self.advice.setContentsMargins(8, 0, 8, 0)
        self.advice.hide()
        self._build_plot()
        self.log_switch.toggled.connect(self._on_log_toggled)
        self.log_switch.setChecked(logarithmic and info.logarithmic)
        self.head = head = QHBoxLayout()
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
        self.show_axis("", last=False)
        self.dress()

    def _build_plot(self) -> None:
        left = ValueAxis(orientation="left")
        left.setStyle(hideOverlappingLabels=True)
        self._bottom = CountAxis(orientation="bottom")
        self.view = plot_view({"bottom": self._bottom, "left": left})
        self.view.setAccessibleName(f"Curve of {self.info.title}")
        self.view.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # A plot is as high as there is room for, however high it would like to be.
        self.view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setClipToView(True)
        self.plot.setDownsampling(auto=True, mode="peak")
        self.plot.getAxis("left").setWidth(_LEFT)
        self.plot.enableAutoRange(axis="x", enable=False)
        span = self.info.least_span
        if span:
            self.plot.setLimits(yMin=-0.02 * span, minYRange=1.04 * span)
        self.hair = pg.InfiniteLine(angle=90, movable=False)
        self.hair.hide()
        self.plot.addItem(self.hair, ignoreBounds=True)
        self._marks: list[pg.InfiniteLine] = []
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        self.plot.vb.sigRangeChangedManually.connect(lambda _axes: self.movedByHand.emit())

    def show_axis(self, axis: XAxis | str, *, last: bool) -> None:
        """Name the x axis under the last plot; the others leave its numbers to that one."""
        self.plot.setLabel("bottom", X_TITLES[axis] if last else "")  # type: ignore[index]
        self.plot.showLabel("bottom", last)
        self._bottom.setStyle(showValues=last)
        self.setMinimumHeight(_LEAST_HEIGHT + (_AXIS_HEIGHT if last else 0))

    def dress(self) -> None:
        dress(self.plot)
        self.hair.setPen(curve_pen(theme.palette().muted_text, Qt.PenStyle.DashLine))

    # ------------------------------------------------------------------ runs
    def draw(self, run: RunLine, view: CurveView) -> None:
        """Hand the points of a run to its items, if there are other ones than they show."""
        column = self.info.column
        x, y = run.buffer.curve(column, view.axis)
        state = (len(x), float(x[-1]) if len(x) else 0.0, view.axis, view.smoothing)
        if run.drawn.get(column) == state:
            return
        run.drawn[column] = state
        if column not in run.items:
            self._add_items(run)
        if self.info.logarithmic:
            keep = y > 0
            x, y = x[keep], y[keep]
        # Copies: the buffer goes on growing in place.
        run.items[column].setData(np.array(x), np.array(smoothed(y, view.smoothing)))
        below = run.raw[column]
        below.setVisible(view.smoothing > 0)
        if view.smoothing > 0:
            below.setData(np.array(x), np.array(y))

    def _add_items(self, run: RunLine) -> None:
        column, log = self.info.column, self.log_switch.isChecked()
        run.raw[column] = pg.PlotDataItem(connect="finite")
        run.items[column] = pg.PlotDataItem(connect="finite")
        for item in (run.raw[column], run.items[column]):
            item.setLogMode(False, log)
            self.plot.addItem(item)
        self.dress_run(run)

    def dress_run(self, run: RunLine) -> None:
        """Draw a run in its colour."""
        column, colour = self.info.column, run.colour
        if column in run.items:
            run.items[column].setPen(curve_pen(colour, run.style))
            run.raw[column].setPen(curve_pen(faint(colour)))

    def remove(self, run: RunLine) -> None:
        """Stop drawing a run."""
        for items in (run.items, run.raw):
            item = items.pop(self.info.column, None)
            if item is not None:
                self.plot.removeItem(item)
        run.drawn.pop(self.info.column, None)

    def show_marks(self, marks: Sequence[tuple[float, str, QColor]], *, named: bool) -> None:
        """Draw a line at each (x, text, run's colour); the text only where `named`."""
        for line in self._marks:
            self.plot.removeItem(line)
        self._marks = []
        for x, text, colour in marks:
            line = pg.InfiniteLine(
                pos=x,
                angle=90,
                pen=curve_pen(colour, Qt.PenStyle.DotLine),
                label=text if named else None,
                labelOpts={"color": colour, "position": 0.9, "anchors": [(0, 0.5), (0, 0.5)]},
            )
            self.plot.addItem(line, ignoreBounds=True)
            self._marks.append(line)

    def show_advice(self, text: str) -> None:
        self.advice.setText(text)
        self.advice.setVisible(bool(text))

    # ------------------------------------------------------------------ pointer
    def show_hair(self, x: float | None) -> None:
        self.hair.setVisible(x is not None)
        if x is not None:
            self.hair.setPos(x)

    def _on_log_toggled(self, on: bool) -> None:
        self.plot.setLogMode(x=False, y=on)
        self.logToggled.emit(on)

    def _on_moved(self, position: QPointF) -> None:
        if self.plot.sceneBoundingRect().contains(position):
            self.hovered.emit(self.plot.vb.mapSceneToView(position).x())

    def leaveEvent(self, event: object) -> None:
        self.hovered.emit(None)
