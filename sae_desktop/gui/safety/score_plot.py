"""How high texts score: ordinary ones, near misses and those of the concept, and the threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QMenu, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import dress, plot_view
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.score_rows import ScoreRow, rows_table, score_rows

Array = npt.NDArray[Any]
_TALLEST = 0.8
_ROW_PIXELS = 56
_AXIS_PIXELS = 56
_COLOURS = {"Ordinary text": "muted_text", "Near misses": "link", "Of the concept": "accent"}


class ScorePlot(QWidget):
    """A histogram a row, named at its left; a line through all at the threshold."""

    def __init__(self) -> None:
        super().__init__()
        self._edges: Array = np.array([0.0, 1.0])
        self._rows: list[ScoreRow] = []
        self._threshold = 0.0
        self.view = plot_view(still=True)
        self.view.setAccessibleName("Scores of texts, and the threshold")
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setLabel("bottom", "Highest score of a text")
        self.plot.getAxis("bottom").enableAutoSIPrefix(False)
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self.caption = ElidedLabel()
        self.caption.setProperty("role", "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.view)
        column.addWidget(self.caption)
        self.view.scene().sigMouseMoved.connect(self._on_moved)
        theme.manager().themeChanged.connect(self._draw)

    def show_scores(self, kinds: list[tuple[str, Array]], threshold: float) -> None:
        """Show the scores of kinds of text, the first at the bottom."""
        self._threshold = threshold
        self._edges, self._rows = score_rows(kinds, threshold)
        self.setVisible(bool(self._rows))
        self.view.setFixedHeight(_ROW_PIXELS * max(len(self._rows), 1) + _AXIS_PIXELS)
        self._draw()

    def _draw(self) -> None:
        colours = theme.palette()
        self.plot.clear()
        dress(self.plot)
        for number, row in enumerate(self._rows):
            base = np.full(len(row.heights_B), float(number))
            filled = row.counts_B > 0
            self.plot.addItem(
                pg.BarGraphItem(
                    x0=self._edges[:-1][filled], x1=self._edges[1:][filled], y0=base[filled],
                    # A single text among thousands is seen, too.
                    height=np.maximum(row.heights_B[filled], 0.04) * _TALLEST,
                    brush=pg.mkBrush(getattr(colours, _COLOURS.get(row.title, "accent"))),
                    pen=pg.mkPen(None),
                )
            )  # fmt: skip
        self._line.setPen(pg.mkPen(colours.text, width=1, style=Qt.PenStyle.DashLine))
        self._line.setValue(self._threshold)
        self.plot.addItem(self._line)
        names = [
            (number + 0.3, f"{row.name}\n{row.fired}") for number, row in enumerate(self._rows)
        ]
        self.plot.getAxis("left").setTicks([names])
        self.plot.getAxis("left").setStyle(tickLength=0)
        self.plot.setYRange(-0.05, max(len(self._rows), 1), padding=0)
        self.plot.setXRange(float(self._edges[0]), float(self._edges[-1]), padding=0.01)
        self._say(None)

    def _say(self, score: float | None) -> None:
        text = f"Dashed: the threshold, {self._threshold:.4g}. To its right a text fires."
        if score is not None and self._edges[0] <= score < self._edges[-1] and self._rows:
            place = int(np.searchsorted(self._edges, score, side="right")) - 1
            counts = ", ".join(
                f"{exact_count(int(row.counts_B[place]))} {row.title.lower()}" for row in self._rows
            )
            text = f"{self._edges[place]:.3g} to {self._edges[place + 1]:.3g}: {counts}"
        self.caption.setText(text)
        self.setAccessibleDescription(self.text())

    def _on_moved(self, at: QPointF) -> None:
        box = self.plot.getViewBox()
        inside = box.sceneBoundingRect().contains(at)
        self._say(float(box.mapSceneToView(at).x()) if inside else None)

    def text(self) -> str:
        """Return what each row says, one a line."""
        return "\n".join(f"{row.name}: {row.fired}" for row in self._rows)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        add_image_actions(menu, self.view, "scores")
        copy = QGuiApplication.clipboard().setText
        menu.addAction("Copy data", lambda: copy(rows_table(self._edges, self._rows)))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())
