"""The histogram of a column over the list: where features lie, and a range of it to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.features.reading.columns import ColumnInfo, column_info
from sae_desktop.features.reading.filter import Range
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.list.column_bins import BINS, ColumnBins
from sae_desktop.gui.explore.list.filter_words import range_text
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip

_HEIGHT = 52
_FOOT = 10
"""Room under the bars for the handles."""
_MARGIN = 6
_KINDS = ("share", "count", "activation", "score")


class RangeHistogram(QWidget):
    """Bars with two handles. Arrow keys move the upper handle, with Shift the lower."""

    moved = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._all: npt.NDArray[np.int64] = np.zeros(BINS, dtype=np.int64)
        self._kept = self._all
        self.low, self.high = 0, BINS
        self._dragged = ""
        self.setFixedHeight(_HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Range of the column")

    def sizeHint(self) -> QSize:
        return QSize(240, _HEIGHT)

    def set_counts(self, whole: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]) -> None:
        """Show how many features there are in each bin, and how many of them are listed."""
        self._all, self._kept = whole, kept
        self.update()

    def set_handles(self, low: int, high: int) -> None:
        """Put the handles at edges 0 … BINS."""
        self.low, self.high = low, high
        self.update()

    def _move(self, low: int, high: int) -> None:
        low = min(max(low, 0), BINS - 1)
        high = min(max(high, low + 1), BINS)
        if (low, high) != (self.low, self.high):
            self.set_handles(low, high)
            self.moved.emit()

    # ------------------------------------------------------------------ hands
    def _x(self, edge: int) -> float:
        return _MARGIN + edge / BINS * (self.width() - 2 * _MARGIN)

    def _edge(self, x: float) -> int:
        return round((x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1) * BINS)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        nearer_low = abs(x - self._x(self.low)) <= abs(x - self._x(self.high))
        self._dragged = "low" if nearer_low else "high"
        self._drag(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged and event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._dragged = ""
        self._move(0, BINS)

    def _drag(self, x: float) -> None:
        edge = self._edge(x)
        if self._dragged == "low":
            self._move(min(edge, self.high - 1), self.high)
        else:
            self._move(self.low, max(edge, self.low + 1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Home:
            self._move(0, BINS)
        elif step is None:
            super().keyPressEvent(event)
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._move(min(self.low + step, self.high - 1), self.high)
        else:
            self._move(self.low, self.high + step)

    # ------------------------------------------------------------------ painting
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme.palette()
        base = self.height() - _FOOT
        tall = np.log1p(self._all.astype(float))
        most = max(float(tall.max(initial=0.0)), 1e-9)
        some = np.log1p(self._kept.astype(float)) / most
        tall = tall / most
        for number in range(BINS):
            x0, x1 = self._x(number), self._x(number + 1)
            inside = self.low <= number < self.high
            for share, colour in (
                (tall[number], colours.border),
                (some[number], colours.accent if inside else colours.border),
            ):
                height = share * (base - 2)
                painter.fillRect(QRectF(x0, base - height, max(x1 - x0 - 1, 1), height), colour)
        painter.setPen(colours.border)
        painter.drawLine(QPointF(self._x(0), base), QPointF(self._x(BINS), base))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for edge in (self.low, self.high):
            x = self._x(edge)
            painter.setPen(colours.text)
            painter.drawLine(QPointF(x, 1), QPointF(x, base))
            painter.setBrush(colours.text)
            painter.drawPolygon(
                QPolygonF([QPointF(x, base), QPointF(x - 5, base + 8), QPointF(x + 5, base + 8)])
            )
        if self.hasFocus():
            painter.setPen(colours.focus)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))


class ColumnRange(QWidget):
    """Chooses a column, shows its histogram and bounds it."""

    changed = Signal(object)
    """The Range of the column."""

    def __init__(self) -> None:
        super().__init__()
        self._index: FeatureIndex | None = None
        self._bins: dict[str, ColumnBins] = {}
        self._ranges: dict[str, Range] = {}
        self._listed: npt.NDArray[np.int64] | None = None
        self.column = QComboBox()
        self.column.setAccessibleName("Column of the histogram")
        self.column.setToolTip("Column to show in the histogram and to filter by")
        self.histogram = RangeHistogram()
        self.histogram.setToolTip(
            "Drag the handles to list only a range. Arrow keys move the upper end, "
            "Shift+arrow the lower; Home clears the range."
        )
        self.text = label("", "small")
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.column)
        top.addStretch()
        top.addWidget(self.text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.histogram)
        self.column.currentIndexChanged.connect(self._on_column_chosen)
        self.histogram.moved.connect(self._on_moved)

    def set_index(self, index: FeatureIndex | None) -> None:
        """Offer the columns of another index, without bounds."""
        self._index, self._bins, self._ranges, self._listed = index, {}, {}, None
        before = self.column.currentData()
        with QSignalBlocker(self.column):
            self.column.clear()
            for info in _numeric_columns(index):
                self.column.addItem(info.title, info.name)
                self.column.setItemData(
                    self.column.count() - 1, plain_tip(info.tip), Qt.ItemDataRole.ToolTipRole
                )
            self.column.setCurrentIndex(max(self.column.findData(before), 0))
        self._show()

    def set_ranges(self, ranges: Sequence[Range]) -> None:
        """Show these bounds; columns without one are unbounded."""
        self._ranges = {bounds.column: bounds for bounds in ranges}
        self._show()

    def set_listed(self, features: npt.NDArray[np.int64] | None) -> None:
        """Show where the listed features lie; None: all are listed."""
        self._listed = features
        self._show_counts()

    def choose(self, name: str) -> None:
        """Show another column; one that the index lacks changes nothing."""
        place = self.column.findData(name)
        if place >= 0:
            self.column.setCurrentIndex(place)

    def bounds(self) -> Range:
        """Return the bounds of the column shown."""
        name = self.column.currentData() or ""
        return self._ranges.get(name, Range(name))

    def bins(self) -> ColumnBins | None:
        """Return the bins of the column shown; None without an index."""
        name = self.column.currentData()
        if self._index is None or name is None:
            return None
        if name not in self._bins:
            self._bins[name] = ColumnBins(self._index.columns[name], column_info(name))
        return self._bins[name]

    def _on_column_chosen(self) -> None:
        self._show()

    def _on_moved(self) -> None:
        bins = self.bins()
        if bins is not None:
            bounds = bins.range_of(self.histogram.low, self.histogram.high)
            self._ranges[bounds.column] = bounds
            self._say()
            self.changed.emit(bounds)

    def _show(self) -> None:
        bins = self.bins()
        self.histogram.setEnabled(bins is not None)
        if bins is not None:
            self.histogram.set_handles(*bins.bins_of(self.bounds()))
        self._show_counts()
        self._say()

    def _show_counts(self) -> None:
        bins = self.bins()
        if bins is None:
            nothing = np.zeros(BINS, dtype=np.int64)
            self.histogram.set_counts(nothing, nothing)
            return
        whole = bins.counts()
        listed = self._listed
        self.histogram.set_counts(whole, whole if listed is None else bins.counts(listed))

    def _say(self) -> None:
        bounds, index = self.bounds(), self._index
        self.text.setText("" if index is None else range_text(index, bounds) or "any")
        self.histogram.setAccessibleDescription(self.text.text())


def _numeric_columns(index: FeatureIndex | None) -> list[ColumnInfo]:
    if index is None:
        return []
    infos = [column_info(name) for name in index.columns]
    return [info for info in infos if info.kind in _KINDS]
