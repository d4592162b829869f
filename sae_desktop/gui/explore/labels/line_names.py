"""Names of lines in a plot: each at the end of a leader from its line, none over another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetrics

from sae_desktop.gui.explore.labels.score_data import Level
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_style import ValueAxis, curve_pen

STYLES = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_LEADER, _MARGIN = 22, 10
"""Pixels from where a line ends to its name, and after the longest name."""
_LEAST_WIDTH, _LEAST_HEIGHT = 160, 80
_MOST_SHARE = 0.6
"""Of the width of a plot, what names may take."""


class BoundAxis(ValueAxis):
    """An axis without marks beyond the data, where names stand."""

    most = math.inf

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        found = super().tickValues(low, high, size)
        return [(step, [value for value in values if value <= self.most]) for step, values in found]


@dataclass(frozen=True)
class LineEnd:
    """Where a line ends, and how it is drawn."""

    name: str
    x: float
    y: float
    colour: QColor
    style: Qt.PenStyle = Qt.PenStyle.SolidLine


def spread(places: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Return places (ascending) moved as little as may be to lie apart, within bounds."""
    upward, downward = list(places), list(places)
    for n in range(1, len(upward)):
        upward[n] = max(upward[n], upward[n - 1] + apart)
    for n in range(len(downward) - 2, -1, -1):
        downward[n] = min(downward[n], downward[n + 1] - apart)
    found = [(above + below) / 2 for above, below in zip(upward, downward, strict=True)]
    if not found:
        return found
    shift = max(low - found[0], 0.0) or min(high - found[-1], 0.0)
    return [place + shift for place in found]


class LineNames:
    """The names at the right of a plot, beside what is drawn."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._items: list[pg.GraphicsObject] = []
        self._metrics = QFontMetrics(plot.vb.scene().views()[0].font())

    def make_room(self, names: Sequence[str], left: float, right: float) -> None:
        """Show `left` to `right` (the plot's units), and beside that as much as names take."""
        width = max(self._plot.vb.width(), _LEAST_WIDTH)
        widest = max(map(self._metrics.horizontalAdvance, names), default=0)
        share = min((widest + _LEADER + _MARGIN) / width, _MOST_SHARE) if names else 0.0
        self._plot.setXRange(left, left + (right - left) / (1 - share), padding=0)

    def show_ends(self, ends: Sequence[LineEnd]) -> None:
        """Draw the leaders and names of lines; the range of the plot is set already."""
        for item in self._items:
            self._plot.removeItem(item)
        self._items = []
        (left, right), (low, high) = self._plot.vb.viewRange()
        pixel = (right - left) / max(self._plot.vb.width(), _LEAST_WIDTH)
        line = self._metrics.height() * (high - low)
        line /= max(self._plot.vb.height(), _LEAST_HEIGHT)
        found = sorted(ends, key=lambda one: one.y)
        places = spread([one.y for one in found], line, low + line / 2, high - line / 2)
        for end, at in zip(found, places, strict=True):
            to = end.x + _LEADER * pixel
            leader = pg.PlotCurveItem([end.x, to], [end.y, at])
            leader.setPen(curve_pen(end.colour, end.style))
            name = pg.TextItem(end.name, color=end.colour, anchor=(0.0, 0.5))
            name.setPos(to, at)
            for item in (leader, name):
                item.setZValue(11)
                self._plot.addItem(item, ignoreBounds=True)
                self._items.append(item)


class Levels:
    """Lines across what a plot shows, each with its name at its right end."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot, self._names = plot, LineNames(plot)
        self._lines: list[pg.GraphicsObject] = []

    def show_levels(self, levels: Sequence[Level], left: float, right: float) -> None:
        """Draw lines from `left` to `right`, and make room for their names beside that."""
        for line in self._lines:
            self._plot.removeItem(line)
        self._lines = []
        self._names.make_room([_said(level) for level in levels], left, right)
        ends = []
        for number, level in enumerate(sorted(levels, key=lambda one: one.value)):
            colour, style = theme.palette().text, STYLES[number % len(STYLES)]
            line = pg.PlotCurveItem([left, right], [level.value, level.value])
            line.setPen(curve_pen(colour, style))
            line.setZValue(10)
            self._plot.addItem(line, ignoreBounds=True)
            self._lines.append(line)
            ends.append(LineEnd(_said(level), right, level.value, colour, style))
        self._names.show_ends(ends)


def _said(level: Level) -> str:
    return f"{level.name} {level.value:.2f}"
