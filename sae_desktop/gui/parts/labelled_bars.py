"""Rows of a name, a bar behind it and a figure at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import show_tip

_ROW_PADDING = 4
_EDGE = 3.0


@dataclass(frozen=True)
class Bar:
    """One row."""

    name: str
    length: float
    """0…1 of the width there is."""
    figure: str
    colour: str = "positive"
    """A colour of the palette."""
    figure_colour: str = "muted_text"
    tip: str = ""


class LabelledBars(QWidget):
    """As tall as its rows. Names are elided in the middle, whole in the tooltip."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._bars: list[Bar] = []
        self._empty = ""
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        theme.manager().themeChanged.connect(self.update)

    def set_bars(self, bars: Sequence[Bar], empty: str = "") -> None:
        """Show rows from the top down; without any, what `empty` says."""
        self._bars = list(bars)
        self._empty = empty
        self.setAccessibleDescription(self.text())
        self.updateGeometry()
        self.update()

    def text(self) -> str:
        """Return the rows as text, one a line."""
        return "\n".join(f"{bar.name}\t{bar.figure}" for bar in self._bars)

    def _row_height(self) -> int:
        return self.fontMetrics().height() + _ROW_PADDING

    def _figure_width(self) -> float:
        metrics = QFontMetricsF(self.font())
        return max((metrics.horizontalAdvance(bar.figure) for bar in self._bars), default=0.0)

    def sizeHint(self) -> QSize:
        return QSize(144, max(len(self._bars), 1) * self._row_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(96, self.sizeHint().height())

    def bar_rect(self, number: int) -> QRectF:
        """Return where a row's bar is painted."""
        height = self._row_height()
        row = QRectF(0, number * height, self.width(), height).adjusted(0, 1, 0, -1)
        room = self.width() - self._figure_width() - 12
        length = max(room * min(self._bars[number].length, 1.0), _EDGE)
        return QRectF(row.left(), row.top(), length, row.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        metrics = QFontMetricsF(self.font())
        room = self.width() - self._figure_width() - 20
        align = Qt.AlignmentFlag.AlignVCenter
        if not self._bars:
            painter.setPen(colours.muted_text)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | align, self._empty)
        for number, bar in enumerate(self._bars):
            place = self.bar_rect(number)
            row = QRectF(0, place.top(), self.width(), place.height())
            hue = getattr(colours, bar.colour)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.blend(colours.surface, hue, 0.22))
            painter.drawRoundedRect(place, 3, 3)
            painter.setBrush(hue)
            painter.drawRect(QRectF(row.left(), row.top(), _EDGE, row.height()))
            painter.setPen(colours.text)
            text = metrics.elidedText(bar.name, Qt.TextElideMode.ElideMiddle, room)
            painter.drawText(row.adjusted(8, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | align, text)
            painter.setPen(getattr(colours, bar.figure_colour))
            painter.drawText(row, Qt.AlignmentFlag.AlignRight | align, bar.figure)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = event.pos().y() // self._row_height()
            if 0 <= number < len(self._bars):
                bar = self._bars[number]
                text = bar.tip or f"{bar.name}\n{bar.figure}"
                show_tip(event.globalPos(), text, self)
            return True
        return super().event(event)

    def _show_menu(self, point: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction("Copy data", lambda: QGuiApplication.clipboard().setText(self.text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(point))
