"""The drawing kept as pictures of its pieces, so that moving it repaints only what comes in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPixmap

from sae_desktop.gui.circuits.canvas.camera import Camera

SIDE = 128
"""Pixels of the view along a side of a piece: small enough that one fits between two frames."""
_KEPT = 1600
"""More than a view of 3,840 × 2,160 pixels needs with those around it."""
_BUDGET_S = 0.006
"""Of one frame, for pieces that come into sight; the last one may take as long again."""
_AT_REST_S = 0.06
"""The same while nothing moves: all at once looks better than piece after piece."""

Paint = Callable[[QPainter, QRectF, float], None]
"""Paints a rectangle of the drawing, at a zoom, in the drawing's own coordinates."""
Key = tuple[int, int]


class Tiles:
    """Pieces of the drawing at one zoom; of the zoom before until those are there."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._zoom = 1.0
        self._ratio = 1.0
        self._ground = QColor()
        self._pieces: dict[Key, QPixmap] = {}
        self._before: tuple[float, dict[Key, QPixmap]] = (1.0, {})

    @property
    def zoom(self) -> float:
        """The zoom at which pieces are painted."""
        return self._zoom

    @property
    def has_pieces(self) -> bool:
        return bool(self._pieces or self._before[1])

    def clear(self) -> None:
        """Forget all pieces: something else is drawn."""
        self._pieces, self._before = {}, (1.0, {})

    def set_zoom(self, zoom: float, ratio: float, ground: QColor) -> None:
        """Say at which zoom pieces are wanted; those of another stay until these are painted."""
        if ratio != self._ratio or ground != self._ground:
            self.clear()
        elif zoom != self._zoom and self._pieces:
            self._before = (self._zoom, self._pieces)
            self._pieces = {}
        self._zoom, self._ratio, self._ground = zoom, ratio, ground

    def wanted(self, camera: Camera, width: float, height: float, margin: int = 0) -> list[Key]:
        """Return the pieces that a view needs, those in its middle first."""
        left, top = camera.x * self._zoom, camera.y * self._zoom
        columns = range(int(left // SIDE) - margin, int((left + width) // SIDE) + 1 + margin)
        rows = range(int(top // SIDE) - margin, int((top + height) // SIDE) + 1 + margin)
        middle = ((left + width / 2) / SIDE - 0.5, (top + height / 2) / SIDE - 0.5)
        keys = [(column, row) for column in columns for row in rows]
        return sorted(keys, key=lambda k: abs(k[0] - middle[0]) + abs(k[1] - middle[1]))

    def prepare(
        self, camera: Camera, width: float, height: float, margin: int = 0, *, moving: bool = True
    ) -> bool:
        """Paint pieces that lack, as many as a frame has time for; tell whether more lack.

        With a margin one alone: it is not in sight yet.
        """
        budget = _BUDGET_S if moving else _AT_REST_S
        until = time.perf_counter() + (0.0 if margin else budget)
        for key in self.wanted(camera, width, height, margin):
            if key not in self._pieces:
                if time.perf_counter() > until:
                    return True
                self._pieces[key] = self._painted(key)
                self._drop_far(key)
        if not margin:
            self._before = (1.0, {})
        return False

    def draw(self, painter: QPainter, camera: Camera, width: float, height: float) -> None:
        """Draw what there is for a view whose upper left corner is at (0, 0)."""
        zoom, pieces = self._before
        if pieces:
            self._draw(painter, camera, pieces, zoom)
        for key in self.wanted(camera, width, height):
            if key in self._pieces:
                self._draw_one(painter, camera, key, self._pieces[key], self._zoom)

    def _draw(
        self, painter: QPainter, camera: Camera, pieces: dict[Key, QPixmap], zoom: float
    ) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        for key, pixmap in pieces.items():
            self._draw_one(painter, camera, key, pixmap, zoom)

    @staticmethod
    def _draw_one(
        painter: QPainter, camera: Camera, key: Key, pixmap: QPixmap, zoom: float
    ) -> None:
        side = SIDE / zoom
        x, y = camera.to_view(key[0] * side, key[1] * side)
        if zoom == camera.zoom:
            painter.drawPixmap(QPointF(math.floor(x + 0.5), math.floor(y + 0.5)), pixmap)
        else:
            size = side * camera.zoom
            painter.drawPixmap(QRectF(x, y, size, size), pixmap, QRectF(pixmap.rect()))

    def _painted(self, key: Key) -> QPixmap:
        pixmap = QPixmap(round(SIDE * self._ratio), round(SIDE * self._ratio))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(self._ground)
        side = SIDE / self._zoom
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(self._zoom, self._zoom)
        painter.translate(-key[0] * side, -key[1] * side)
        self._paint(painter, QRectF(key[0] * side, key[1] * side, side, side), self._zoom)
        painter.end()
        return pixmap

    def _drop_far(self, near: Key) -> None:
        if len(self._pieces) > _KEPT:
            far = max(self._pieces, key=lambda k: abs(k[0] - near[0]) + abs(k[1] - near[1]))
            del self._pieces[far]
