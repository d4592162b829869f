"""Names on the map: each beside or over what it names, none over another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter

from sae_desktop.features.reading.clusters import Region
from sae_desktop.gui.parts import theme

_WIDEST = 260
_PADDING = 4
_GROUND = 0.85
"""How far a name covers what is under it."""
_BESIDE = 6


@dataclass(frozen=True)
class MapName:
    """A name and where on the map it belongs."""

    text: str
    x: float
    y: float
    """In the map's units."""
    region: Region | None = None
    """What it names; None: a feature."""
    wide: bool = False
    """Whether that is an area: it is written larger, and only where the map is seen from afar."""


@dataclass(frozen=True)
class PlacedName:
    """A name and where it is written on the widget."""

    name: MapName
    box: QRectF


class NamePlacer:
    """Places names one after another, as many as do not cover one another."""

    def __init__(self, font: QFont, bounds: QRectF) -> None:
        self._font, self._bounds = font, bounds
        self.placed: list[PlacedName] = []

    def add(self, name: MapName, at: QPointF) -> bool:
        """Place a name at a point of the widget, where there is room for it."""
        metrics = QFontMetrics(name_font(self._font, name))
        text = metrics.elidedText(name.text, Qt.TextElideMode.ElideMiddle, _WIDEST)
        width, height = metrics.horizontalAdvance(text) + 2 * _PADDING, metrics.height() + 2
        left = at.x() + _BESIDE if name.region is None else at.x() - width / 2
        box = QRectF(left, at.y() - height / 2, width, height)
        if name.region is not None:  # a name over a cluster at the rim stays whole
            room = self._bounds.adjusted(1, 1, -1, -1)
            box.moveLeft(min(max(box.left(), room.left()), max(room.right() - width, 0)))
            box.moveTop(min(max(box.top(), room.top()), max(room.bottom() - height, 0)))
        if not self._bounds.contains(at) or any(box.intersects(p.box) for p in self.placed):
            return False
        self.placed.append(PlacedName(name, box))
        return True

    def region_at(self, point: QPointF) -> Region | None:
        """Return the region whose name is written at a point."""
        return next(
            (p.name.region for p in self.placed if p.name.region and p.box.contains(point)), None
        )


def name_font(font: QFont, name: MapName) -> QFont:
    """Return the font a name is written in."""
    found = QFont(font)
    if name.wide:
        found.setWeight(QFont.Weight.DemiBold)
        found.setPointSizeF(font.pointSizeF() * 1.1)
    return found


def paint_names(painter: QPainter, placed: Iterable[PlacedName], font: QFont) -> None:
    """Write names; those of regions on a ground of their own, since points lie under them."""
    colours = theme.palette()
    for one in placed:
        metrics = QFontMetrics(name_font(font, one.name))
        painter.setFont(name_font(font, one.name))
        inner = one.box.adjusted(_PADDING, 0, -_PADDING, 0)
        text = metrics.elidedText(one.name.text, Qt.TextElideMode.ElideMiddle, _WIDEST)
        if one.name.region is not None:
            ground = QColor(colours.surface)
            ground.setAlphaF(_GROUND)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(one.box, 4, 4)
        painter.setPen(colours.text)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, text)
    painter.setFont(font)
