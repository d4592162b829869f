"""Names that are read from afar: those of the most influential nodes, where there is room."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from sae_desktop.gui.circuits.canvas.camera import Camera
from sae_desktop.gui.circuits.canvas.scene import FEATURE, LOGIT, Scene
from sae_desktop.gui.parts import theme

_MOST = 40
_TRIED = 160
_WIDEST = 170.0
_PAD = 3.0


class FarNames:
    """For one scene and zoom, which nodes are named and how their names are cut."""

    def __init__(self, scene: Scene, zoom: float, metrics: QFontMetricsF) -> None:
        self.placed: list[tuple[int, str, QRectF]] = []
        """Node, text, and its box in pixels from the drawing's corner."""
        self._metrics = metrics
        nodes = scene.nodes
        between = (scene.kind[nodes] == FEATURE) | (scene.kind[nodes] == LOGIT)
        wanted = nodes[scene.named[nodes] & between]
        # The tokens that are explained come first, what feeds them after.
        weight = scene.strength[wanted] + 10 * scene.probability[wanted]
        taken: list[QRectF] = []
        whole = scene.placing.width * zoom
        for node in wanted[np.argsort(-weight)][:_TRIED].tolist():
            text = metrics.elidedText(scene.names[node], Qt.TextElideMode.ElideMiddle, _WIDEST)
            width, height = metrics.horizontalAdvance(text) + 2 * _PAD, metrics.height()
            middle = QPointF(scene.placing.x[node] * zoom, scene.placing.y[node] * zoom)
            left = min(max(middle.x() - width / 2, 0.0), max(whole - width, 0.0))
            box = QRectF(left, middle.y() - height / 2, width, height)
            if not any(box.intersects(other) for other in taken):
                taken.append(box.adjusted(-2, -1, 2, 1))
                self.placed.append((node, text, box))
            if len(self.placed) >= _MOST:
                break

    def paint(self, painter: QPainter, camera: Camera, area: QRectF) -> None:
        """Paint the names over a view whose corner is that of `area`."""
        colours = theme.palette()
        ground = QColor(colours.surface)
        ground.setAlphaF(0.86)
        shift = QPointF(area.left() - camera.x * camera.zoom, area.top() - camera.y * camera.zoom)
        for _, text, box in self.placed:
            there = box.translated(shift)
            if not there.intersects(area):
                continue
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(there, 3, 3)
            painter.setPen(colours.text)
            painter.drawText(there, Qt.AlignmentFlag.AlignCenter, text)
