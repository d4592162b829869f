"""An AUROC in a cell: its figure, and its interval on a scale from 0 to 1 with chance marked."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from sae_desktop.gui.parts import theme
from sae_desktop.safety.scan.config import Area

AREA_ROLE = Qt.ItemDataRole.UserRole + 11
"""The Area of a cell."""
_PADDING = 6
_DOT = 3.0
_LEAST = 28
"""Pixels below which a scale says nothing."""


class AreaDelegate(QStyledItemDelegate):
    """Paints a cell with an area; a cell without one as usual."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        area = index.data(AREA_ROLE)
        if area is None:
            super().paint(painter, option, index)
            return
        text = str(index.data(Qt.ItemDataRole.DisplayRole))
        option = QStyleOptionViewItem(option)
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget is not None else None
        if style is not None:
            style.drawControl(style.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        painter.setFont(option.font)
        metrics = painter.fontMetrics()
        room = option.rect.adjusted(_PADDING, 0, -_PADDING, 0)
        figure = metrics.horizontalAdvance("1.00")
        painter.setPen(theme.palette().text)
        place = QRect(room.left(), room.top(), figure, room.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        scale = QRectF(room.adjusted(figure + 8, 0, 0, 0))
        if scale.width() >= _LEAST:
            _draw(painter, scale, area)
        painter.restore()


def _draw(painter: QPainter, room: QRectF, area: Area) -> None:
    """Draw the interval as a line, the area as a dot, and chance as a tick."""
    colours = theme.palette()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    room = room.adjusted(_DOT, 0, -_DOT, 0)
    middle = room.center().y()

    def at(value: float) -> float:
        return room.left() + min(max(value, 0.0), 1.0) * room.width()

    painter.setPen(QPen(colours.border, 1))
    painter.drawLine(QPointF(room.left(), middle), QPointF(room.right(), middle))
    painter.drawLine(QPointF(at(0.5), middle - 6), QPointF(at(0.5), middle + 6))
    colour = colours.positive if area.low > 0.5 else colours.muted_text
    painter.setPen(QPen(colour, 2))
    painter.drawLine(QPointF(at(area.low), middle), QPointF(at(area.high), middle))
    painter.setBrush(colour)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(QPointF(at(area.area), middle), _DOT, _DOT)
