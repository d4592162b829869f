"""Paints nodes and curves, in the drawing's coordinates, as fine as the zoom lets one see."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from sae_desktop.circuits.reading.curves import LEVELS, Curves, opacity_of, width_of
from sae_desktop.gui.circuits.canvas.scene import (
    EMBEDDING,
    ERROR,
    LOGIT,
    Array,
    Scene,
)
from sae_desktop.gui.parts import theme

TEXT_FROM = 0.6
"""From this zoom on there is room for names."""
_LEAST_TEXT = 0.8
"""Names are not smaller than this, beside the window's text: they are cut instead."""
_ROUND_FROM = 0.22
_SIDE = 8.0
_TINT, _LEAST_TINT = 0.34, 0.05
"""How much of the accent the most influential node has as its ground: its text stays readable."""
_BAND = 5.0
_PILE = 3.0
"""By how much the box behind that of a collapsed group stands out."""
_DOT = 4.0
"""Pixels of the view of a node at least."""
_LIT_OPACITY = 0.9


class Painter:
    """Paints pieces of one scene; the names that were cut to their boxes are kept."""

    def __init__(self, scene: Scene, font: QFont) -> None:
        self.scene = scene
        self._base = QFont(font)
        self._size = 0.0
        self._font, self._bold = QFont(font), QFont(font)
        self._metrics = self._bold_metrics = QFontMetricsF(font)
        self._cut: dict[int, str] = {}

    def paint(self, painter: QPainter, area: QRectF, zoom: float) -> None:
        """Paint curves and nodes of a rectangle of the drawing."""
        edge = max(3 / zoom, _PILE + 1)
        box = (area.left() - edge, area.top() - edge, area.right() + edge, area.bottom() + edge)
        self.paint_curves(painter, self.scene.curves, self.scene.curves.within(*box))
        self.paint_nodes(painter, self.scene.within(*box), zoom)

    # ------------------------------------------------------------------ curves
    def paint_curves(self, painter: QPainter, curves: Curves, seen: Array) -> None:
        """Paint what is `seen` (E, PIECES) of the whole graph, the strong over the faint."""
        for level, positive, path in _paths(curves, seen):
            colour = _colour(positive)
            colour.setAlphaF(opacity_of(level))
            painter.strokePath(path, _pen(colour, width_of(level)))

    def paint_lit(self, painter: QPainter, curves: Curves, seen: Array) -> None:
        """Paint what is `seen` of the curves of a node that is pointed at, over everything."""
        for level, positive, path in _paths(curves, seen):
            colour = _colour(positive)
            colour.setAlphaF(_LIT_OPACITY)
            pen = _pen(colour, width_of(level))
            if not positive:  # the sign is seen without its colour, too
                pen.setDashPattern([7.0, 2.0])
            painter.strokePath(path, pen)

    # ------------------------------------------------------------------ nodes
    def paint_nodes(self, painter: QPainter, nodes: Array, zoom: float) -> None:
        """Paint nodes: with names where they can be read, as plain boxes from afar."""
        if zoom < _ROUND_FROM:
            self._paint_far(painter, nodes, _DOT / zoom)
            return
        self._set_text(zoom)
        for node in nodes.tolist():
            self._paint_box(painter, node)
            if zoom >= TEXT_FROM:
                self._paint_text(painter, node, zoom)

    def _set_text(self, zoom: float) -> None:
        """Choose how large names are in the drawing."""
        size = max(1.0, _LEAST_TEXT / zoom)
        if size == self._size:
            return
        self._size, self._cut = size, {}
        self._font = QFont(self._base)
        self._font.setPointSizeF(max(self._base.pointSizeF(), 1.0) * size)
        self._bold = QFont(self._font)
        self._bold.setBold(True)
        self._metrics, self._bold_metrics = QFontMetricsF(self._font), QFontMetricsF(self._bold)

    def rect(self, node: int) -> QRectF:
        """Return a node's box in the drawing."""
        placing = self.scene.placing
        height = placing.box.height
        width = float(placing.widths[node])
        return QRectF(
            float(placing.x[node]) - width / 2, float(placing.y[node]) - height / 2, width, height
        )

    def _paint_far(self, painter: QPainter, nodes: Array, least: float) -> None:
        for node in nodes.tolist():
            rect = self.rect(node)
            wider = max(least - rect.width(), 0.0) / 2
            higher = max(least - rect.height(), 0.0) / 2
            rect.adjust(-wider, -higher, wider, higher)
            painter.fillRect(rect, self._colour_far(node))

    def _colour_far(self, node: int) -> QColor:
        colours = theme.palette()
        share = float(self.scene.strength[node])
        if self.scene.kind[node] == ERROR:
            return _blend(colours.surface, colours.muted_text, 0.25 + 0.35 * share)
        if self.scene.kind[node] in (EMBEDDING, LOGIT):
            return _blend(colours.surface, colours.text, 0.55)
        return _blend(colours.surface, colours.accent, 0.35 + 0.65 * share)

    def _paint_box(self, painter: QPainter, node: int) -> None:
        scene, colours = self.scene, theme.palette()
        rect, kind = self.rect(node).adjusted(0.5, 0.5, -0.5, -0.5), int(scene.kind[node])
        painter.setBrush(self.ground(node))
        quiet = _blend(colours.surface, colours.muted_text, 0.55)
        border = colours.muted_text if kind in (EMBEDDING, LOGIT) else quiet
        pen = QPen(border, 1.0)
        if kind == ERROR:
            pen = QPen(colours.muted_text, 1.0)
            pen.setStyle(Qt.PenStyle.DashLine)
        if scene.marks is not None and scene.marks[node]:
            pen = QPen(colours.text, 2.0)
        painter.setPen(pen)
        radius = 3.0 if kind in (EMBEDDING, LOGIT) else rect.height() / 2
        if scene.folded is not None and scene.folded[node]:
            # What stands for several looks like a pile of them, in the group's colour.
            painter.setPen(QPen(group_colour(int(scene.group[node])), 1.6))
            painter.drawRoundedRect(rect.translated(_PILE, -_PILE), radius, radius)
        painter.drawRoundedRect(rect, radius, radius)
        if kind == LOGIT:
            share = float(scene.probability[node])
            bar = QRectF(rect.left() + 1, rect.bottom() - 4, (rect.width() - 2) * share, 3)
            painter.fillRect(bar, colours.accent)
        if scene.group[node] >= 0:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(group_colour(int(scene.group[node])))
            band = QRectF(rect.left() + _SIDE, rect.bottom() - _BAND / 2 - 1, 28, _BAND - 1)
            painter.drawRoundedRect(band, 2, 2)
        if node in scene.pinned:
            painter.setPen(QPen(colours.surface, 1.0))
            painter.setBrush(colours.link)
            painter.drawEllipse(QPointF(rect.right() - 4, rect.top() + 4), 4.0, 4.0)

    def ground(self, node: int) -> QColor:
        """Return the colour of a node's box: the more influence, the more of the accent."""
        colours, kind = theme.palette(), int(self.scene.kind[node])
        if kind in (EMBEDDING, LOGIT):
            return colours.raised
        if kind == ERROR:
            return colours.surface
        share = _LEAST_TINT + (_TINT - _LEAST_TINT) * float(self.scene.strength[node])
        return _blend(colours.surface, colours.accent, share)

    def _paint_text(self, painter: QPainter, node: int, zoom: float) -> None:
        scene, colours = self.scene, theme.palette()
        named, logit = bool(scene.named[node]), int(scene.kind[node]) == LOGIT
        painter.setFont(self._bold if logit else self._font)
        painter.setPen(colours.text if named or logit else colours.muted_text)
        side = _SIDE if zoom > 1 / 1.3 else _SIDE / 2
        room = self.rect(node).adjusted(side, -4, -side, 4)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, self._fitted(node, room.width()))

    def _fitted(self, node: int, width: float) -> str:
        found = self._cut.get(node)
        if found is None:
            logit = int(self.scene.kind[node]) == LOGIT
            metrics = self._bold_metrics if logit else self._metrics
            how = Qt.TextElideMode.ElideMiddle
            found = self._cut[node] = metrics.elidedText(self.scene.names[node], how, width)
        return found

    def paint_ring(self, painter: QPainter, node: int, colour: QColor, width: float) -> None:
        """Draw around a node, `width` pixels of the view."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_pen(colour, width))
        kind = int(self.scene.kind[node])
        rect = self.rect(node).adjusted(-1, -1, 1, 1)
        radius = 4.0 if kind in (EMBEDDING, LOGIT) else rect.height() / 2
        painter.drawRoundedRect(rect, radius, radius)


def _blend(ground: QColor, colour: QColor, share: float) -> QColor:
    """Return two colours blended; hundreds of nodes a view share a few dozen blends."""
    return _blended(ground.rgb(), colour.rgb(), round(100 * share))


@functools.lru_cache(1024)
def _blended(ground: int, colour: int, hundredths: int) -> QColor:
    return theme.blend(QColor(ground), QColor(colour), hundredths / 100)


def group_colour(group: int) -> QColor:
    """Return the colour of a group's band."""
    colours = theme.run_colours()
    return colours[group % len(colours)]


def _colour(positive: bool) -> QColor:
    colours = theme.palette()
    return QColor(colours.positive if positive else colours.negative)


def _paths(curves: Curves, seen: Array) -> Iterator[tuple[int, bool, QPainterPath]]:
    """Yield level, sign and path of the pieces that are `seen` (E, PIECES), the faint first.

    Those of one level and sign are stroked at once, and pieces that follow one another are one
    line.
    """
    touched = seen.any(axis=1)
    for level in range(LEVELS):
        for positive in (False, True):
            of = np.flatnonzero(touched & (curves.level == level) & (curves.positive == positive))
            if not len(of):
                continue
            path = QPainterPath()
            which, piece = np.nonzero(seen[of])
            before = (-1, -1)
            rows = curves.pieces[of[which], piece].reshape(-1, 8).tolist()
            for at, points in zip(zip(which.tolist(), piece.tolist(), strict=True), rows,
                                  strict=True):  # fmt: skip
                if at != (before[0], before[1] + 1):
                    path.moveTo(points[0], points[1])
                path.cubicTo(*points[2:])
                before = at
            yield level, positive, path


def _pen(colour: QColor, width: float) -> QPen:
    pen = QPen(colour, width)
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen
