"""A plot of scores with its head: what is under the pointer, pictures and data of it."""

from __future__ import annotations

from collections.abc import Callable

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.score_data import Level
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plot_image import image_button
from sae_desktop.gui.parts.plot_style import curve_pen

LOWEST, HIGHEST = 190, 420
"""Pixels that a plot is high."""
STYLES = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


class PlotFrame(QWidget):
    """A title and a read-out above a plot, and the buttons for pictures and data."""

    def __init__(self, title: str, view: pg.PlotWidget, data: Callable[[], str]) -> None:
        super().__init__()
        self.view, self._data = view, data
        view.setAccessibleName(title)
        view.setFixedHeight(LOWEST)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.title = label(title, "heading")
        self.readout = ElidedLabel()
        self.readout.setProperty("role", "small")
        copy = push_button("Copy data", self.copy_data, icon="copy", flat=True)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addStretch()
        head.addWidget(image_button(view, title.lower()))
        head.addWidget(copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(view, 1)
        column.addWidget(self.readout)

    def set_room(self, height: int) -> None:
        """Have the plot as high as there is room, within reason."""
        self.view.setFixedHeight(min(max(height, LOWEST), HIGHEST))

    def copy_data(self) -> None:
        """Put what is drawn on the clipboard, tab-separated."""
        QGuiApplication.clipboard().setText(self._data())


class Levels:
    """Lines across a plot, each with its name at its right end; names never cover one another."""

    _APART = 0.115
    """Of the height: names of lines that are closer stand above one another."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._items: list[pg.GraphicsObject] = []
        self._levels: tuple[Level, ...] = ()

    def show_levels(self, levels: tuple[Level, ...], right: float, span: float) -> None:
        """Draw lines whose names end at `right`; `span` is the height of the plot in its units."""
        for item in self._items:
            self._plot.removeItem(item)
        self._items = []
        colours = theme.palette()
        last = -float("inf")
        for number, level in enumerate(sorted(levels, key=lambda one: one.value)):
            line = pg.InfiniteLine(level.value, angle=0)
            line.setPen(curve_pen(colours.text, STYLES[number % len(STYLES)]))
            line.setZValue(10)
            at = max(level.value, last + self._APART * span)
            last = at
            name = pg.TextItem(
                f"{level.name} {level.value:.2f}", color=colours.text, anchor=(1.0, 1.0)
            )
            name.fill = pg.mkBrush(colours.surface)
            name.setPos(right, at)
            name.setZValue(11)
            for item in (line, name):
                self._plot.addItem(item, ignoreBounds=True)
                self._items.append(item)
