"""pyqtgraph set up as all plots of the window want it, in the theme's colours."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QWheelEvent

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import tip_of
from sae_desktop.words.amounts import MINUS, short_count

# Width-1 pens without antialiasing are drawn by Qt's fast path; either costs a factor of six.
# Grid lines are left out: six plots that follow a run take 16 ms to draw without, 60 ms with.
pg.setConfigOptions(antialias=False, useOpenGL=False)

_LARGE = 10_000.0
_THOUSAND = 999.5


def run_colour(number: int) -> QColor:
    """Return the colour of the n-th run drawn over the others."""
    colours = theme.run_colours()
    return colours[number % len(colours)]


def run_style(number: int) -> Qt.PenStyle:
    """Return the line of the n-th run: dashed once the colours begin again."""
    again = number >= len(theme.run_colours())
    return Qt.PenStyle.DashLine if again else Qt.PenStyle.SolidLine


def faint(colour: QColor) -> QColor:
    """Return an opaque colour near the ground: a see-through one is drawn slowly."""
    return theme.blend(theme.palette().surface, colour, 0.3)


def curve_pen(colour: QColor, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> object:
    """Return a pen of width 1."""
    return pg.mkPen(colour, width=1, style=style)


def dress(plot: pg.PlotItem) -> None:
    """Give a plot the palette's colours."""
    colours = theme.palette()
    for side in ("left", "bottom", "right", "top"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(colours.border, width=1))
        axis.setTextPen(pg.mkPen(colours.muted_text))
    plot.titleLabel.setText(plot.titleLabel.text, color=colours.text.name())


class StillPlot(pg.PlotWidget):
    """A plot on a page: it shows the whole at all times, and the wheel scrolls the page."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def plot_view(axes: dict[str, pg.AxisItem] | None = None, *, still: bool = False) -> pg.PlotWidget:
    """Return a plot without a ground or frame of its own, at home in either theme.

    Axes that are not given are of plain values. `still`: it cannot be zoomed or moved.
    """
    axes = {side: ValueAxis(orientation=side) for side in ("left", "bottom")} | (axes or {})
    view = (StillPlot if still else pg.PlotWidget)(axisItems=axes, background=None)
    view.setMouseEnabled(x=not still, y=not still)
    view.setFrameShape(view.Shape.NoFrame)
    # pyqtgraph keeps a picture of the ground, which would stay when the theme changes.
    view.setCacheMode(view.CacheModeFlag.CacheNone)
    end_menus_with(view)
    return view


def end_menus_with(view: pg.PlotWidget) -> None:
    """Give a plot its menus, which pyqtgraph makes without a parent: they would outlive it."""
    menu = view.getPlotItem().ctrlMenu
    menu.setParent(view, menu.windowFlags())


def log_log_view(name: str, bottom: str, left: str) -> pg.PlotWidget:
    """Return a plot with two logarithmic axes, called so where it is read out."""
    sides = {"bottom": bottom, "left": left}
    view = plot_view({side: ValueAxis(orientation=side) for side in sides})
    view.setAccessibleName(name)
    plot = view.getPlotItem()
    plot.hideButtons()
    plot.setMenuEnabled(False)
    plot.setLogMode(x=True, y=True)
    for side, text in sides.items():
        plot.getAxis(side).enableAutoSIPrefix(False)
        plot.setLabel(side, text)
    return view


_LEAST_PIXELS = 15
"""Of an upright axis for each of its figures: with less they would overlap."""


class _TellingAxis(pg.AxisItem):
    """An axis whose name tells what it means where the glossary knows it."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Return the marks by level, on a low axis fewer of those that are always named."""
        levels = [(space, list(marks)) for space, marks in super().tickValues(low, high, size)]
        if self.orientation == "left" and levels:
            space, marks = levels[0]
            every = math.ceil(len(marks) * _LEAST_PIXELS / max(size, _LEAST_PIXELS))
            levels[0] = (space, marks[::every])
        return levels

    def setLabel(self, text: str | None = None, *more: Any, **style: Any) -> None:
        super().setLabel(text, *more, **style)
        self.setToolTip(plain_tip(tip_of(text or "")))


class CountAxis(_TellingAxis):
    """An axis of counts: 0, 500k, 1M."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        del spacing
        return [short_count(value * scale) for value in values]


class ValueAxis(_TellingAxis):
    """An axis of plain values; over a logarithm it names 1, 2 and 5 of a decade, as many as fit."""

    _LEAST_PIXELS_ABREAST = 48
    _FEWEST = 3

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return [_short(10.0**value) for value in values]
        if any(abs(value * scale) >= _LARGE for value in values):
            return [short_count(value * scale) for value in values]
        texts = super().tickStrings(values, scale, spacing)
        return [str(text).replace("-", MINUS) for text in texts]

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            return super().tickValues(low, high, size)
        room = _LEAST_PIXELS if self.orientation == "left" else self._LEAST_PIXELS_ABREAST
        decades = range(math.floor(low), math.ceil(high) + 1)
        best: list[float] = []
        for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
            marks = [d + math.log10(step) for d in decades for step in steps]
            inside = [mark for mark in marks if low <= mark <= high]
            if len(inside) * room > size and best:
                break
            best = inside
        if len(best) < self._FEWEST and high - low < 1:
            best = _even_marks(10.0**low, 10.0**high, max(int(size / room / 2), 2))
        return [(1.0, best)]


def _even_marks(low: float, high: float, most: int) -> list[float]:
    """Return log10 of at most a given number of round values at even distances, for less than a
    decade.
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= raw)
    first = math.ceil(low / step)
    values = [n * step for n in range(first, math.floor(high / step) + 1)]
    return [math.log10(value) for value in values if value > 0]


def _short(value: float) -> str:
    return short_count(value) if value >= _THOUSAND else f"{value:.4g}"
