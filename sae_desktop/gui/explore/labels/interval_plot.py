"""A mean score by interval of activation with its 95% band, the rivals beside it."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.line_names import STYLES, LineEnd, LineNames
from sae_desktop.gui.explore.labels.plot_frame import PlotFrame
from sae_desktop.gui.explore.labels.score_data import Curve
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_style import ValueAxis, curve_pen, dress, plot_view
from sae_desktop.words.amounts import exact_count

_HINT = "Point at an interval to read its means and their 95% bands."
_FAINT = 0.25


def _style(number: int) -> Qt.PenStyle:
    """Return how a curve is drawn; the first is the labels’ own."""
    return Qt.PenStyle.SolidLine if number == 0 else STYLES[(number - 1) % len(STYLES)]


class IntervalPlot(QWidget):
    """Curves over intervals, the weakest firings at the left."""

    def __init__(self, title: str, below: str) -> None:
        super().__init__()
        self._below = below
        self._names: tuple[str, ...] = ()
        self._curves: tuple[Curve, ...] = ()
        self._axis = ""
        sides = ("bottom", "left")
        self.view = plot_view({side: ValueAxis(orientation=side) for side in sides}, still=True)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.getAxis("left").enableAutoSIPrefix(False)
        self._items: list[pg.GraphicsObject] = []
        self._line_names = LineNames(self.plot)
        self.frame = PlotFrame(title, self.view, self.data_text)
        self.frame.readout.setText(_HINT)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.view.scene().sigMouseMoved.connect(self._on_mouse_moved)
        theme.manager().themeChanged.connect(self._draw)
        self.plot.vb.sigResized.connect(self._draw)

    def show_curves(self, curves: tuple[Curve, ...], names: tuple[str, ...], axis: str) -> None:
        """Draw curves over intervals of these names."""
        self._curves, self._names, self._axis = curves, names, axis
        self.view.setAccessibleDescription(self.data_text())
        self._draw()

    def _draw(self, _resized: object = None) -> None:
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []
        if not self._curves:
            return
        colours = theme.palette()
        dress(self.plot)
        self.view.setBackground(colours.surface)
        self.plot.setLabel("left", self._axis)
        self.plot.setLabel("bottom", self._below)
        ends_of = [name.rpartition("–")[2] for name in self._names]
        self.plot.getAxis("bottom").setTicks([list(enumerate(ends_of))])
        ends = np.concatenate([np.concatenate([c.low, c.high]) for c in self._curves])
        low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
        above = max(high - low, 0.05) * 0.1
        self.plot.setYRange(low - above, high + above, padding=0)
        last = max(len(self._names) - 1, 1)
        self._line_names.make_room([curve.name for curve in self._curves], -0.45, last + 0.1)
        for number, curve in enumerate(self._curves):
            self._draw_curve(curve, number)
        self._name_curves()

    def _colour(self, number: int) -> QColor:
        colours = theme.palette()
        return colours.positive if number == 0 else colours.text

    def _draw_curve(self, curve: Curve, number: int) -> None:
        known = np.flatnonzero(np.isfinite(curve.value))
        if not len(known):
            return
        colour, surface = self._colour(number), theme.palette().surface
        solid = number == 0
        pen = curve_pen(colour, _style(number))
        edges = [pg.PlotDataItem(known, band[known], pen=None) for band in (curve.low, curve.high)]
        band = pg.FillBetweenItem(*edges, brush=pg.mkBrush(theme.blend(surface, colour, _FAINT)))
        band.setZValue(-10 - number)
        line = pg.PlotDataItem(
            known,
            curve.value[known],
            pen=pen,
            symbol="o" if solid else None,
            symbolSize=6,
            symbolBrush=pg.mkBrush(colour),
            symbolPen=None,
        )
        for item in (*edges, band, line):
            self.plot.addItem(item, ignoreBounds=True)
            self._items.append(item)

    def _name_curves(self) -> None:
        """Name each curve at its right end."""
        ends = []
        for number, curve in enumerate(self._curves):
            known = np.flatnonzero(np.isfinite(curve.value))
            if len(known):
                last, colour = int(known[-1]), self._colour(number)
                value = float(curve.value[last])
                ends.append(LineEnd(curve.name, float(last), value, colour, _style(number)))
        self._line_names.show_ends(ends)

    # ------------------------------------------------------------------ the pointer
    def _on_mouse_moved(self, place: QPointF) -> None:
        box = self.plot.vb
        inside = box.sceneBoundingRect().contains(place)
        at = round(box.mapSceneToView(place).x()) if inside else -1
        told = self.said_at(at) if 0 <= at < len(self._names) else _HINT
        self.frame.readout.setText(told)

    def said_at(self, interval: int) -> str:
        """Return the figures of an interval in words."""
        parts = [
            f"{curve.name} {curve.value[interval]:.2f} "
            f"({curve.low[interval]:.2f} to {curve.high[interval]:.2f})"
            for curve in self._curves
            if np.isfinite(curve.value[interval])
        ]
        count = max((int(curve.features[interval]) for curve in self._curves), default=0)
        told = ", ".join(parts) or "not measured"
        return f"{self._names[interval]}: {told}; {exact_count(count)} features"

    def data_text(self) -> str:
        """Return the curves as tab-separated text with a header."""
        lines = [f"curve\t{self._below}\t{self._axis}\tlow\thigh\tfeatures"]
        for curve in self._curves:
            rows = zip(self._names, curve.value, curve.low, curve.high, curve.features, strict=True)
            lines += [
                f"{curve.name}\t{name}\t{value:.4g}\t{low:.4g}\t{high:.4g}\t{int(count)}"
                for name, value, low, high, count in rows
            ]
        return "\n".join(lines)
