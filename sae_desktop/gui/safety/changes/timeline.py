"""Figures over the checkpoints of a model: one is chosen, its control and threshold beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.plot_image import image_button
from sae_desktop.gui.parts.plot_style import curve_pen, dress, plot_view, run_colour
from sae_desktop.words.amounts import elide_middle, figure_text
from sae_desktop.words.change_curves import Figure

_LEAST_HEIGHT = 120
_NAME = 14
"""Characters of a checkpoint's name beneath the axis."""
_MARGIN = 0.5
"""Of the distance of two checkpoints, beside the first and the last."""
_ABOVE = 1.05
"""Times the largest value: the height of an axis that begins at 0."""
_PIXELS = 96
"""Between two names."""


class Timeline(QWidget):
    """A figure with its lines; a click chooses the nearest checkpoint."""

    checkpointChosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._figures: Sequence[Figure] = ()
        self._titles: Sequence[str] = ()
        self._chosen = -1
        self.what = ElidedComboBox(22)
        self.what.setAccessibleName("What to plot over the checkpoints")
        self.legend = label("", "small", wrap=True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.view = plot_view(still=True)
        self.view.setAccessibleName("Figures over checkpoints")
        self.view.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setMinimumHeight(_LEAST_HEIGHT)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.getAxis("left").enableAutoSIPrefix(False)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.what)
        head.addWidget(self.legend, 1)
        head.addWidget(image_button(self.view, "checkpoints"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        self.what.currentIndexChanged.connect(lambda _place: self.draw())
        self.view.scene().sigMouseClicked.connect(self._on_clicked)
        theme.manager().themeChanged.connect(self.draw)

    def show_figures(self, figures: Sequence[Figure], titles: Sequence[str]) -> None:
        """Offer other figures over other checkpoints; the one that was chosen stays."""
        kept = self.what.currentText()
        self._figures, self._titles = figures, titles
        with QSignalBlocker(self.what):
            self.what.clear()
            self.what.addItems([figure.title for figure in figures])
            self.what.setCurrentIndex(max(self.what.findText(kept), 0) if figures else -1)
        self.draw()

    def show_chosen(self, checkpoint: int) -> None:
        """Mark a checkpoint."""
        if checkpoint != self._chosen:
            self._chosen = checkpoint
            self.draw()

    @property
    def figure(self) -> Figure | None:
        """What is drawn."""
        place = self.what.currentIndex()
        return self._figures[place] if 0 <= place < len(self._figures) else None

    def draw(self) -> None:
        """Draw the chosen figure again."""
        self.plot.clear()
        figure = self.figure
        if figure is None:
            self.legend.setText("")
            return
        self.what.setToolTip(plain_tip(figure.explanation))
        self.view.setToolTip(plain_tip(f"{figure.explanation} Click a checkpoint to show it."))
        self.plot.setLabel("left", figure.unit)
        told = []
        for number, line in enumerate(figure.lines):
            colour = theme.palette().muted_text if line.control else run_colour(number)
            style = Qt.PenStyle.DashLine if line.control else Qt.PenStyle.SolidLine
            values = np.array([math.nan if v is None else v for v in line.values], np.float64)
            self.plot.plot(
                np.arange(len(values), dtype=np.float64), values, pen=curve_pen(colour, style),
                symbol="o", symbolSize=5, symbolBrush=colour, symbolPen=None, connect="finite",
            )  # fmt: skip
            mark = "◌" if line.control else "●"
            now = ""
            if 0 <= self._chosen < len(line.values):
                now = f" {figure_text(line.values[self._chosen])}"
            told.append(f'<span style="color: {colour.name()}">{mark}</span> {line.name}{now}')
        if figure.threshold is not None:
            colour = theme.palette().error
            pen = curve_pen(colour, Qt.PenStyle.DashLine)
            self.plot.addItem(pg.InfiniteLine(pos=figure.threshold, angle=0, pen=pen))
            told.append(
                f'<span style="color: {colour.name()}">╌</span> alert above '
                f"{figure_text(figure.threshold)}"
            )
        if 0 <= self._chosen < len(self._titles):
            pen = curve_pen(theme.palette().muted_text, Qt.PenStyle.DotLine)
            self.plot.addItem(pg.InfiniteLine(pos=self._chosen, angle=90, pen=pen))
        self.legend.setText(" &nbsp; ".join(told))
        self._name_checkpoints()
        dress(self.plot)
        self.plot.enableAutoRange(axis="y")
        highest = max((v for line in figure.lines for v in line.values if v is not None), default=0)
        highest = max(highest, figure.threshold or 0.0)
        if figure.from_zero and highest > 0:
            self.plot.setYRange(0, highest * _ABOVE, padding=0)
        # The names at both ends need room beneath.
        self.plot.setXRange(-_MARGIN, max(len(self._titles) - 1, 0) + _MARGIN, padding=0)
        self.view.setAccessibleDescription(self._told(figure))

    def _told(self, figure: Figure) -> str:
        """Return the figures in words, for whoever does not see the plot."""
        line = figure.lines[0]
        parts = [
            f"{title}: {figure_text(value)}"
            for title, value in zip(self._titles, line.values, strict=False)
        ]
        return f"{figure.title}, {figure.unit}. " + ", ".join(parts)

    def _name_checkpoints(self) -> None:
        room = max(self.view.width() // _PIXELS, 2)
        every = max(math.ceil(len(self._titles) / room), 1)
        ticks = [
            (float(place), elide_middle(title, _NAME))
            for place, title in enumerate(self._titles)
            if place % every == 0
        ]
        self.plot.getAxis("bottom").setTicks([ticks])

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._name_checkpoints()

    def _on_clicked(self, event: object) -> None:
        position: QPointF = event.scenePos()  # type: ignore[attr-defined]
        if self._titles and self.plot.sceneBoundingRect().contains(position):
            x = round(self.plot.vb.mapSceneToView(position).x())
            self.checkpointChosen.emit(min(max(x, 0), len(self._titles) - 1))
