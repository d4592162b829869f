"""What a sweep over strengths does to the text: curves, and where it breaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plot_image import image_button
from sae_desktop.gui.parts.plot_style import curve_pen, dress, faint, plot_view, run_colour
from sae_desktop.gui.parts.terms import explain
from sae_desktop.steering.config import SweepPoint, SweepStrengthsResult

_NAN = math.nan
_LEAST_HEIGHT = 112
_CURVES: dict[str, Callable[[SweepPoint], float]] = {
    "Perplexity (log₁₀)": lambda p: math.log10(p.perplexity) if p.perplexity else _NAN,
    "KL (nats per token)": lambda p: _NAN if p.kl is None else p.kl,
    "Repetition": lambda p: p.repetition,
}
WATCHED = "Watched tokens"


def break_points(points: Sequence[SweepPoint]) -> list[float]:
    """Return the weakest strength on either side of 0 from which on every text is broken."""
    found = []
    for sign in (-1, 1):
        side = sorted((p for p in points if p.strength * sign > 0), key=lambda p: abs(p.strength))
        first = None
        for point in reversed(side):
            if not point.broken:
                break
            first = point.strength
        if first is not None:
            found.append(first)
    return found


class SweepPlot(QWidget):
    """One figure over the strengths; dashed where the text has broken."""

    def __init__(self) -> None:
        super().__init__()
        self._result: SweepStrengthsResult | None = None
        self._watched: Sequence[str] = ()
        self.what = QComboBox()
        self.what.addItems([WATCHED, *_CURVES])
        self.what.setAccessibleName("What to plot against strength")
        explain(self.what, "Watched tokens", "Perplexity", "KL", "Repetition")
        self.view = plot_view()
        self.view.setAccessibleName("Choose what to plot against strength")
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setLabel("bottom", "Sliders multiplied by")
        self.view.setMinimumHeight(_LEAST_HEIGHT)
        self.legend = label("", "small", wrap=True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        head = QHBoxLayout()
        head.addWidget(self.what)
        head.addStretch()
        head.addWidget(image_button(self.view, "strengths"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.legend)
        column.addWidget(self.view, 1)
        self.what.currentIndexChanged.connect(self._draw)
        theme.manager().themeChanged.connect(self._draw)

    def show_result(self, result: SweepStrengthsResult | None, watched: Sequence[str]) -> None:
        """Draw another sweep."""
        self._result, self._watched = result, watched
        if result is not None and not watched and self.what.currentText() == WATCHED:
            self.what.setCurrentIndex(1)
        self._draw()
        self.plot.enableAutoRange()

    def curves(self) -> dict[str, list[float]]:
        """Return what is drawn: name → a value a strength, by rising strength."""
        points = self._points()
        what = self.what.currentText()
        if what != WATCHED:
            return {what: [_CURVES[what](p) for p in points]}
        return {name: [p.watched[i] for p in points] for i, name in enumerate(self._watched)}

    def _points(self) -> list[SweepPoint]:
        result = self._result
        return [] if result is None else sorted(result.points, key=lambda p: p.strength)

    def _draw(self, _value: object = None) -> None:
        dress(self.plot)
        self.plot.clear()
        strengths = np.array([p.strength for p in self._points()])
        told = []
        for number, (name, values) in enumerate(self.curves().items()):
            colour = run_colour(number)
            self.plot.plot(
                strengths, np.array(values), pen=curve_pen(colour), symbol="o", symbolSize=5,
                symbolBrush=colour, symbolPen=None, connect="finite",
            )  # fmt: skip
            told.append(f'<span style="color: {colour.name()}">●</span> {_escaped(name)}')
        for strength in break_points(self._points()):
            pen = curve_pen(theme.palette().error, Qt.PenStyle.DashLine)
            self.plot.addItem(pg.InfiniteLine(pos=strength, angle=90, pen=pen))
        if break_points(self._points()):
            told.append("dashed: the text breaks down")
        self.plot.addItem(pg.InfiniteLine(pos=0, angle=90, pen=faint(theme.palette().muted_text)))
        self.legend.setText(" &nbsp; ".join(told))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
