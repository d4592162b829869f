"""How long the rows of a site are: a histogram over decades, the massive ones marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QMenu, QSizePolicy, QVBoxLayout, QWidget

from sae_desktop.activations.config import SiteFigures
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.histogram import count_ticks
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import ValueAxis, curve_pen, dress, plot_view
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.store_text import norm_text

MASSIVE = 10.0
"""Times the median norm: from there on a row is called massive."""
_FLOOR = -0.3
"""log10 of the axis's foot: a little under one row, so that a single one is seen."""


class NormHistogram(QWidget):
    """Bars over log10 of the norm, as high as log10 of the rows; a line at ten times the median."""

    def __init__(self) -> None:
        super().__init__()
        self._edges: npt.NDArray[Any] = np.array([])
        self._counts: npt.NDArray[Any] = np.array([])
        self._words = ""
        bottom, left = ValueAxis(orientation="bottom"), ValueAxis(orientation="left")
        bottom.setLogMode(True)
        self.view = plot_view({"bottom": bottom, "left": left})
        self.view.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setAccessibleName("Histogram of norms")
        self.view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setLabel("bottom", "norm of a row")
        self.plot.setLabel("left", "rows")
        left.setWidth(56)
        self._usual = pg.BarGraphItem(x0=[0.0], x1=[0.0], y0=_FLOOR, height=[0.0])
        self._massive = pg.BarGraphItem(x0=[0.0], x1=[0.0], y0=_FLOOR, height=[0.0])
        self._line = pg.InfiniteLine(
            angle=90, movable=False, label="10 × median", labelOpts={"position": 0.92}
        )
        for item in (self._usual, self._massive, self._line):
            self.plot.addItem(item)
        self.text = label("", "small", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.view, 1)
        column.addWidget(self.text)
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        theme.manager().themeChanged.connect(self._dress)
        self._dress()

    def show_site(self, figures: SiteFigures | None) -> None:
        """Show the norms of a site's rows; None: none are known yet."""
        edges = np.asarray(figures.norm_edges if figures else [], dtype=float)
        counts = np.asarray(figures.norm_counts if figures else [], dtype=float)
        if figures is None or len(edges) != len(counts) + 1 or not counts.sum():
            edges, counts = np.array([]), np.array([])
        self._edges, self._counts = edges, counts
        self._words = norm_text(figures) if figures is not None and len(counts) else ""
        self.text.setText(self._words)
        self.setAccessibleDescription(self._words)
        self._draw(figures.median_norm if figures is not None else 0.0)

    def _draw(self, median: float) -> None:
        threshold = MASSIVE * median
        drawn = self._edges[:-1] > 0 if len(self._edges) else np.array([], dtype=bool)
        low, high = self._edges[:-1][drawn], self._edges[1:][drawn]
        counts = self._counts[drawn] if len(drawn) else self._counts
        heights = np.where(counts > 0, np.log10(np.maximum(counts, 1)) - _FLOOR, 0.0)
        massive = low >= threshold if median > 0 else np.zeros(len(low), dtype=bool)
        for item, some in ((self._usual, ~massive), (self._massive, massive)):
            item.setOpts(
                x0=np.log10(low[some]), x1=np.log10(high[some]), y0=_FLOOR, height=heights[some]
            )
        self._line.setVisible(bool(len(low)) and median > 0)
        if not len(low):
            self.plot.setXRange(0.0, 2.0)
            self.plot.setYRange(_FLOOR, 1.0)
            return
        used = np.flatnonzero(counts)
        left, right = np.log10(low[used[0]]), np.log10(high[used[-1]])
        if median > 0:
            self._line.setValue(np.log10(threshold))
            right = max(right, np.log10(threshold) + 0.1)
        # Room above for the line's name.
        top = max(float(heights.max()) + _FLOOR, 1.0) + 0.6
        self.plot.setXRange(left, right, padding=0.04)
        self.plot.setYRange(_FLOOR, top, padding=0.0)
        self.plot.getAxis("left").setTicks(count_ticks(top))

    def massive_bars(self) -> int:
        """Return how many bars are marked as massive."""
        return int(np.count_nonzero(self._massive.opts["height"]))

    def data_text(self) -> str:
        """Return the histogram as tab-separated text with a header."""
        lines = ["from\tto\trows"]
        for low, high, count in zip(self._edges, self._edges[1:], self._counts, strict=False):
            lines.append(f"{low:.6g}\t{high:.6g}\t{int(count)}")
        return "\n".join(lines)

    def _on_moved(self, point: QPointF) -> None:
        box = self.plot.vb
        words = self._words
        if len(self._edges) and box.sceneBoundingRect().contains(point):
            norm = 10.0 ** float(box.mapSceneToView(point).x())
            place = int(np.searchsorted(self._edges, norm, side="right")) - 1
            if 0 <= place < len(self._counts):
                low, high = self._edges[place], self._edges[place + 1]
                words = f"{low:.3g} to {high:.3g}: {exact_count(self._counts[place])} rows"
        self.text.setText(words)

    def leaveEvent(self, event: object) -> None:
        self.text.setText(self._words)

    def _dress(self) -> None:
        colours = theme.palette()
        dress(self.plot)
        self.view.setBackground(colours.surface)
        none = pg.mkPen(None)
        self._usual.setOpts(brush=pg.mkBrush(colours.accent), pen=none)
        self._massive.setOpts(brush=pg.mkBrush(colours.negative), pen=none)
        self._line.setPen(curve_pen(colours.text, Qt.PenStyle.DashLine))
        self._line.label.setColor(colours.text)
        self._line.label.fill = pg.mkBrush(colours.surface)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        clipboard = QGuiApplication.clipboard()
        add_image_actions(menu, self.view, "norms")
        menu.addAction("Copy data", lambda: clipboard.setText(self.data_text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())
