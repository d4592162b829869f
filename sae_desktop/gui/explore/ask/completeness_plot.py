"""Share of concepts that have a feature, against how often they occur: a curve a dictionary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_style import curve_pen, dress, plot_view, run_colour
from sae_desktop.words.completeness_figures import ShareCurve


class CompletenessPlot(QWidget):
    """A curve a dictionary in `run_colour`, dashed where half of the concepts have a feature."""

    def __init__(self) -> None:
        super().__init__()
        self._curves: Sequence[ShareCurve] = ()
        self._times_alive = False
        self.view = plot_view()
        self.view.setAccessibleName("Share of concepts that have a feature, by frequency")
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setLogMode(x=True, y=False)
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        self.plot.setLabel("left", "Share with a feature")
        self.plot.setYRange(0.0, 1.0, padding=0.03)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        theme.manager().themeChanged.connect(self._draw)

    def show_curves(self, curves: Sequence[ShareCurve], *, times_alive: bool) -> None:
        """Draw other curves."""
        self._curves, self._times_alive = curves, times_alive
        self._draw()
        self.plot.enableAutoRange(axis="x")

    def _draw(self) -> None:
        dress(self.plot)
        self.plot.setLabel(
            "bottom",
            "Occurrences per token × alive features"
            if self._times_alive
            else "Occurrences per token",
        )
        for item in list(self.plot.listDataItems()) + [
            item for item in self.plot.items if isinstance(item, pg.InfiniteLine)
        ]:
            self.plot.removeItem(item)
        for number, curve in enumerate(self._curves):
            colour = run_colour(number)
            self.plot.plot(
                np.asarray(curve.frequencies),
                np.asarray(curve.shares),
                pen=curve_pen(colour),
                symbol="o",
                symbolSize=4,
                symbolBrush=colour,
                symbolPen=None,
            )
            if curve.even_chance is not None:
                line = pg.InfiniteLine(
                    pos=float(np.log10(curve.even_chance)),
                    angle=90,
                    pen=curve_pen(colour, Qt.PenStyle.DashLine),
                )
                self.plot.addItem(line)
