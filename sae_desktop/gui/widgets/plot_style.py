"""pyqtgraph set up as all plots of the window want it, in the theme's colours."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QWidget

from sae_desktop.gui import theme

# Width-1 pens without antialiasing are drawn by Qt's fast path; either costs a factor of six.
pg.setConfigOptions(antialias=False, useOpenGL=False)

RUN_COLOURS_LIGHT = ("#C2570C", "#1A5FC0", "#1B7F4B", "#7A3FB0", "#8A6A00", "#B3202A")
RUN_COLOURS_DARK = ("#F0913A", "#82B6FF", "#6FD39B", "#C69BF2", "#E2C25B", "#FF938A")


def run_colour(number: int) -> QColor:
    """Return the colour of the n-th run drawn over the others."""
    colours = RUN_COLOURS_DARK if theme.manager().dark else RUN_COLOURS_LIGHT
    return QColor(colours[number % len(colours)])


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
    plot.showGrid(x=True, y=True, alpha=0.12)
    plot.titleLabel.setText(plot.titleLabel.text, color=colours.text.name())


def copy_image(widget: QWidget) -> None:
    """Put a picture of the widget on the clipboard."""
    QGuiApplication.clipboard().setPixmap(widget.grab())


def ticks_text(values: list[float]) -> list[str]:
    """Return axis labels of counts: 0, 500k, 1M."""
    from sae_desktop.gui.amounts import count_text

    return [count_text(value) if np.isfinite(value) else "" for value in values]


class CountAxis(pg.AxisItem):
    """An axis of rows consumed."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return ticks_text([value * scale for value in values])
