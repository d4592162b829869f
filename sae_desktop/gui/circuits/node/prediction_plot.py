"""Predicted against measured change: on the diagonal the graph told the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QMenu, QToolTip, QVBoxLayout, QWidget

from sae_desktop.circuits.asking_config import NodeEffect
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import curve_pen, dress, faint, plot_view
from sae_desktop.words.graph_words import signed

_NEAR = 10.0


class PredictionPlot(QWidget):
    """A point a node; logits are squares. A click goes to the node."""

    nodeChosen = Signal(int)

    def __init__(self, name: Callable[[int], str]) -> None:
        super().__init__()
        self._name = name
        self._effects: list[NodeEffect] = []
        self._logits: frozenset[int] = frozenset()
        self.view = plot_view()
        self.view.setAccessibleName("Predicted against measured change")
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setLabel("bottom", "Predicted change")
        self.plot.setLabel("left", "Measured change")
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        self.view.setMinimumHeight(190)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._show_menu)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        self._diagonal = pg.PlotDataItem()
        self._nodes, self._tokens = pg.ScatterPlotItem(), pg.ScatterPlotItem()
        for item in (self._diagonal, self._nodes, self._tokens):
            self.plot.addItem(item)
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        self.view.scene().sigMouseClicked.connect(self._on_clicked)
        theme.manager().themeChanged.connect(self._draw)
        self._draw()

    def show_effects(self, effects: Sequence[NodeEffect], logits: frozenset[int]) -> None:
        """Show predicted and measured changes; what was set itself is left out."""
        self._effects = [effect for effect in effects if not effect.changed]
        self._logits = logits
        self._draw()

    def _draw(self) -> None:
        dress(self.plot)
        colours = theme.palette()
        size = max((max(abs(e.predicted), abs(e.measured)) for e in self._effects), default=1.0)
        self._diagonal.setData([-size, size], [-size, size])
        self._diagonal.setPen(curve_pen(faint(colours.text), Qt.PenStyle.DashLine))
        for item, mine, symbol, colour, width in (
            (self._nodes, False, "o", colours.accent, 6),
            (self._tokens, True, "s", colours.link, 9),
        ):
            chosen = [e for e in self._effects if (e.node in self._logits) == mine]
            item.setData(
                [e.predicted for e in chosen], [e.measured for e in chosen],
                symbol=symbol, size=width, brush=pg.mkBrush(colour),
                pen=pg.mkPen(colours.surface, width=1),
            )  # fmt: skip

    def _nearest(self, at: QPointF) -> NodeEffect | None:
        box = self.plot.getViewBox()
        if not self._effects or not self.view.sceneBoundingRect().contains(at):
            return None
        places = [box.mapViewToScene(QPointF(e.predicted, e.measured)) for e in self._effects]
        away = np.array([abs(p.x() - at.x()) + abs(p.y() - at.y()) for p in places])
        best = int(np.argmin(away))
        return self._effects[best] if away[best] <= _NEAR else None

    def _on_moved(self, at: QPointF) -> None:
        effect = self._nearest(at)
        if effect is None:
            QToolTip.hideText()
            return
        text = (
            f"{self._name(effect.node)}\nPredicted {signed(effect.predicted)}\n"
            f"Measured {signed(effect.measured)}"
        )
        place = self.view.mapToGlobal(self.view.mapFromScene(at))
        show_tip(place, text, self.view)

    def _on_clicked(self, event: object) -> None:
        effect = self._nearest(event.scenePos())  # type: ignore[attr-defined]
        if effect is not None:
            self.nodeChosen.emit(effect.node)

    def _show_menu(self, at: object) -> None:
        menu = QMenu(self)
        add_image_actions(menu, self.view, "predicted-and-measured")
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.mapToGlobal(at))
