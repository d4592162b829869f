"""What ways of steering remove, against what they cost on ordinary text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import dress, plot_view
from sae_desktop.words.mitigation_text import TradePoint

_SYMBOLS = ("o", "s", "t")
_COLOURS = ("accent", "link", "muted_text")
_HEIGHT = 200


class TradePlot(QWidget):
    """A point a way, named beside it, with bars of 95% both ways: best is at the top left."""

    def __init__(self) -> None:
        super().__init__()
        self._points: list[TradePoint] = []
        self.view = plot_view(still=True)
        self.view.setAccessibleName("Behaviour removed against loss added")
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setFixedHeight(_HEIGHT)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setLabel("bottom", "Loss added on ordinary text (%)")
        self.plot.setLabel("left", "Behaviour removed (%)")
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        theme.manager().themeChanged.connect(self._draw)

    def show_points(self, points: Sequence[TradePoint]) -> None:
        """Show ways of steering; none: nothing."""
        self._points = list(points)
        self.setVisible(bool(self._points))
        self._draw()

    def _draw(self) -> None:
        colours = theme.palette()
        self.plot.clear()
        dress(self.plot)
        for number, point in enumerate(self._points):
            colour = getattr(colours, _COLOURS[number % len(_COLOURS)])
            x, y = [point.cost], [point.gone]
            self.plot.addItem(
                pg.ErrorBarItem(
                    x=np.array(x), y=np.array(y), pen=pg.mkPen(colour),
                    left=np.array([point.cost - point.cost_ends[0]]),
                    right=np.array([point.cost_ends[1] - point.cost]),
                    bottom=np.array([point.gone - point.gone_ends[0]]),
                    top=np.array([point.gone_ends[1] - point.gone]),
                )
            )  # fmt: skip
            self.plot.addItem(
                pg.ScatterPlotItem(
                    x, y, symbol=_SYMBOLS[number % len(_SYMBOLS)], size=10,
                    brush=pg.mkBrush(colour), pen=pg.mkPen(colours.surface),
                )
            )  # fmt: skip
            name = pg.TextItem(point.title, color=colours.text, anchor=(0, 1))
            name.setPos(point.cost, point.gone)
            self.plot.addItem(name)
        ends = [end for point in self._points for end in (*point.cost_ends, 0.0)] or [0.0, 1.0]
        spread = max(max(ends) - min(ends), 0.5)
        # Room for the names, which stand at the right of their points.
        self.plot.setXRange(min(ends) - 0.05 * spread, max(ends) + 0.45 * spread, padding=0)
        self.plot.setYRange(-5, 118, padding=0)
        self.setAccessibleDescription(self.text())

    def text(self) -> str:
        """Return the points as text with tabs between its columns."""
        lines = ["\t".join(("", "loss added %", "from", "to", "removed %", "from", "to"))]
        for point in self._points:
            figures = (point.cost, *point.cost_ends, point.gone, *point.gone_ends)
            lines.append("\t".join((point.title, *(f"{one:.4g}" for one in figures))))
        return "\n".join(lines)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        add_image_actions(menu, self.view, "mitigation")
        menu.addAction("Copy data", lambda: QGuiApplication.clipboard().setText(self.text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())
