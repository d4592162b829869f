"""How many names score how high, with the same names shuffled among the features behind."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.overview_facts import Scores
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import (
    CountAxis,
    ValueAxis,
    curve_pen,
    dress,
    faint,
    plot_view,
)
from sae_desktop.words.amounts import exact_count

_SUMMARY = "Filled: the names. Line: the same names, shuffled among the features."
_ROOM_ABOVE = 1.22
"""Of the highest bar: there the two heaps are named."""
_HALF_LINE = 8


class ScoreHistogram(QWidget):
    """Two heaps on one axis; the pointer reads them out."""

    def __init__(self) -> None:
        super().__init__()
        self._scores = Scores()
        self.view = plot_view(
            {"bottom": ValueAxis(orientation="bottom"), "left": CountAxis(orientation="left")},
            still=True,
        )
        self.view.setAccessibleName("Scores of the names")
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot = self.plot = self.view.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.layout.setContentsMargins(1, _HALF_LINE, 1, 1)  # for the figure of the highest tick
        plot.setLabel("bottom", "Score (detection AUROC)")
        plot.setLabel("left", "Features")
        self._bars = pg.BarGraphItem(x0=[0.0], x1=[1.0], y0=0, height=[0.0])
        self._line = pg.PlotDataItem(stepMode="center")
        self._own_name = pg.TextItem("names", anchor=(0.5, 1.0))
        self._shuffled_name = pg.TextItem("shuffled", anchor=(0.5, 1.0))
        self._chance = pg.InfiniteLine(0.5, angle=90, span=(0.0, 1.0 / _ROOM_ABOVE))
        for item in (self._bars, self._chance, self._line, self._own_name, self._shuffled_name):
            plot.addItem(item)
        self.readout = ElidedLabel(_SUMMARY)
        self.readout.setProperty("role", "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.view, 1)
        column.addWidget(self.readout)
        self.setMinimumHeight(150)
        self.view.scene().sigMouseMoved.connect(self._on_mouse_moved)
        theme.manager().themeChanged.connect(self._dress)
        self._dress()

    def sizeHint(self) -> QSize:
        return QSize(320, 190)

    def show_scores(self, scores: Scores) -> None:
        """Draw other scores."""
        self._scores = scores
        edges, own, shuffled = scores.counts()
        self._bars.setOpts(x0=edges[:-1], x1=edges[1:], y0=0, height=own)
        self._line.setData(edges, shuffled)
        top = float(max(own.max(initial=1), shuffled.max(initial=1)))
        self.plot.setXRange(float(edges[0]), 1.0, padding=0.02)
        self.plot.setYRange(0.0, top * _ROOM_ABOVE, padding=0.0)
        self._place_names(edges, own, shuffled)
        self.setAccessibleDescription(scores.sentence if scores.known else "")
        self.readout.setText(_SUMMARY)

    def _place_names(self, edges: np.ndarray, own: np.ndarray, shuffled: np.ndarray) -> None:
        """Name each heap above its highest bar; apart where they stand close together."""
        width = float(edges[1] - edges[0])
        at = [float(edges[int(heap.argmax())]) + width / 2 for heap in (own, shuffled)]
        close = abs(at[0] - at[1]) < 0.15 * (1.0 - float(edges[0]))
        self._own_name.setAnchor((0.0 if close else 0.5, 1.0))
        self._shuffled_name.setAnchor((1.0 if close else 0.5, 1.0))
        self._own_name.setPos(at[0], float(own.max(initial=0)))
        self._shuffled_name.setPos(at[1], float(shuffled.max(initial=0)))
        self._shuffled_name.setVisible(bool(shuffled.any()))
        self._line.setVisible(bool(shuffled.any()))

    def _dress(self) -> None:
        colours = theme.palette()
        dress(self.plot)
        self.view.setBackground(colours.surface)
        for name in (self._own_name, self._shuffled_name):
            name.fill = pg.mkBrush(colours.surface)
        self._bars.setOpts(brush=pg.mkBrush(faint(colours.accent)), pen=pg.mkPen(colours.accent))
        self._line.setPen(curve_pen(colours.text))
        self._chance.setPen(curve_pen(colours.muted_text, Qt.PenStyle.DashLine))
        self._own_name.setColor(colours.positive)
        self._shuffled_name.setColor(colours.text)

    def data_text(self) -> str:
        """Return the counts as tab-separated text with a header."""
        lines = ["from\tto\tnames\tshuffled"]
        edges, own, shuffled = self._scores.counts()
        for low, high, n, m in zip(edges, edges[1:], own, shuffled, strict=False):
            lines.append(f"{low:.3f}\t{high:.3f}\t{int(n)}\t{int(m)}")
        return "\n".join(lines)

    def _on_mouse_moved(self, point: QPointF) -> None:
        box = self.plot.vb
        if not box.sceneBoundingRect().contains(point) or not self._scores.known:
            self.readout.setText(_SUMMARY)
            return
        edges, own, shuffled = self._scores.counts()
        place = int(np.searchsorted(edges, box.mapSceneToView(point).x(), side="right")) - 1
        if 0 <= place < len(own):
            self.readout.setText(
                f"Scores from {edges[place]:.2f} to {edges[place + 1]:.2f}: "
                f"{exact_count(own[place])} names, {exact_count(shuffled[place])} shuffled"
            )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        clipboard = QGuiApplication.clipboard()
        add_image_actions(menu, self.view, "scores of names")
        menu.addAction("Copy data", lambda: clipboard.setText(self.data_text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())
