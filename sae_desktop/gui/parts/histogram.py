"""How often a feature fires how strongly: counts on a logarithmic axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import end_menus_with
from sae_desktop.gui.parts.terms import tip_of
from sae_desktop.words.amounts import exact_count

_FLOOR = -0.3
"""log10 of the axis's foot: a little under one token, so that a single one is seen."""


class ActivationHistogram(QWidget):
    """Bars over activation, a read-out under the pointer and a marker from outside."""

    def __init__(self) -> None:
        super().__init__()
        self._edges: npt.NDArray[Any] = np.array([0.0, 1.0])
        self._counts: npt.NDArray[Any] = np.array([0])
        # Its words change under the pointer: the page must not grow with them.
        self._caption = ElidedLabel()
        self._caption.setProperty("role", "small")
        self._plot = pg.PlotWidget()
        end_menus_with(self._plot)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for side, text in (("bottom", "Activation"), ("left", "Tokens")):
            self._plot.setLabel(side, text)
            self._plot.getAxis(side).setToolTip(plain_tip(tip_of(text)))
        self._plot.getAxis("left").setWidth(48)
        self._bars = pg.BarGraphItem(x0=[0], x1=[1], y0=_FLOOR, height=[0.0])
        self._marker = pg.InfiniteLine(angle=90, movable=False)
        self._marker.setVisible(False)
        self._plot.addItem(self._bars)
        self._plot.addItem(self._marker)
        self._plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._plot)
        column.addWidget(self._caption)
        self.setMinimumHeight(180)
        self.setAccessibleName("Histogram of activations")
        theme.manager().themeChanged.connect(self._on_theme_changed)
        self._on_theme_changed()

    def sizeHint(self) -> QSize:
        return QSize(280, 240)

    def set_counts(self, edges: npt.NDArray[Any], counts: npt.NDArray[Any]) -> None:
        """Show counts (bins,) between edges (bins + 1,), activations above 0 only."""
        self._edges, self._counts = np.asarray(edges, float), np.asarray(counts)
        filled = self._counts > 0
        heights = np.where(filled, np.log10(np.maximum(self._counts, 1)) - _FLOOR, 0.0)
        if not len(self._counts) or self._edges[-1] <= 0.0:
            self._edges, heights = np.array([0.0, 1.0]), np.array([0.0])
        self._bars.setOpts(x0=self._edges[:-1], x1=self._edges[1:], y0=_FLOOR, height=heights)
        top = float(heights.max()) + _FLOOR
        self._plot.setXRange(0.0, float(self._edges[-1]), padding=0.02)
        self._plot.setYRange(_FLOOR, max(top, 1.0), padding=0.04)
        self._plot.getAxis("left").setTicks(count_ticks(max(top, 1.0)))
        self._marker.setVisible(False)
        self._describe()

    def set_marker(self, activation: float | None) -> None:
        """Mark an activation by a vertical line; None takes it away."""
        visible = activation is not None and activation > 0.0
        self._marker.setVisible(visible)
        if activation is not None:
            self._marker.setValue(activation)
        self._caption_for(activation if visible else None)

    @property
    def marker(self) -> float | None:
        """Where the marker stands, if it is shown."""
        return float(self._marker.value()) if self._marker.isVisible() else None

    def data_text(self) -> str:
        """Return the histogram as tab-separated text with a header."""
        lines = ["from\tto\ttokens"]
        for low, high, count in zip(self._edges, self._edges[1:], self._counts, strict=False):
            lines.append(f"{low:.6g}\t{high:.6g}\t{int(count)}")
        return "\n".join(lines)

    def _describe(self) -> None:
        total = int(self._counts.sum())
        text = f"{exact_count(total)} tokens with an activation above 0"
        self.setAccessibleDescription(text)
        self._summary = text
        self._caption_for(None)

    def _caption_for(self, activation: float | None) -> None:
        text = self._summary
        bins = len(self._edges) - 1
        if activation is not None and 0.0 <= activation <= self._edges[-1] and len(self._counts):
            place = int(np.searchsorted(self._edges, activation, side="right")) - 1
            place = min(max(place, 0), min(bins, len(self._counts)) - 1)
            low, high = self._edges[place], self._edges[place + 1]
            text = f"{low:.2f} to {high:.2f}: {exact_count(int(self._counts[place]))} tokens"
        metrics = QFontMetrics(self._caption.font())
        room = max(self.width() - 4, 40)
        self._caption.setText(metrics.elidedText(text, pg.QtCore.Qt.TextElideMode.ElideRight, room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if hasattr(self, "_summary"):
            self._caption_for(None)

    def _on_mouse_moved(self, point: QPointF) -> None:
        box = self._plot.plotItem.vb
        if box.sceneBoundingRect().contains(point):
            self._caption_for(float(box.mapSceneToView(point).x()))
        else:
            self._caption_for(None)

    def _on_theme_changed(self) -> None:
        colours = theme.palette()
        self._plot.setBackground(colours.surface)
        for name in ("left", "bottom"):
            axis = self._plot.getAxis(name)
            axis.setPen(pg.mkPen(colours.border))
            axis.setTextPen(pg.mkPen(colours.muted_text))
            axis.label.setDefaultTextColor(colours.muted_text)
        self._bars.setOpts(brush=pg.mkBrush(colours.accent), pen=pg.mkPen(None))
        self._marker.setPen(pg.mkPen(colours.text, width=1))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        clipboard = QGuiApplication.clipboard()
        add_image_actions(menu, self._plot, "histogram")
        menu.addAction("Copy data", lambda: clipboard.setText(self.data_text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())


def count_ticks(top: float) -> list[list[tuple[float, str]]]:
    """Return an axis's labelled and bare ticks for counts up to 10^top, placed by log10."""
    decades = range(int(top) + 1)
    steps = (1, 2, 5) if top < 2.0 else (1,)
    labelled = [
        (float(np.log10(step * 10**decade)), _short(step * 10**decade))
        for decade in decades
        for step in steps
    ]
    bare = [(float(np.log10(step)) + decade, "") for decade in decades for step in range(2, 10)]
    return [labelled, bare]


def _short(count: int) -> str:
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if count >= size:
            return f"{count // size}{unit}"
    return str(count)
