"""Names that are read from afar: those of the most influential nodes, where there is room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from sae_desktop.circuits.reading.labels import place_labels
from sae_desktop.gui.circuits.canvas.camera import Camera
from sae_desktop.gui.circuits.canvas.scene import FEATURE, LOGIT, Scene
from sae_desktop.gui.parts import theme

_MOST = 40
_TRIED = 160
_WIDEST = 170.0
_PAD = 3.0


class FarNames:
    """For one scene and zoom, which nodes are named and how their names are cut."""

    def __init__(
        self,
        scene: Scene,
        zoom: float,
        metrics: QFontMetricsF,
        among: Sequence[int] | None = None,
        first: int | None = None,
        beside: float = 0.0,
    ) -> None:
        """`among`: the nodes that are lit, which alone are named, `first` before the others.

        `beside`: pixels to either side of the drawing where there is room for names, too.
        """
        self.placed: list[tuple[int, str, QRectF]] = []
        """Node, text, and its box in pixels from the drawing's corner."""
        nodes = scene.nodes if among is None else np.asarray(among)
        wanted = _wanted(scene, nodes, first)
        texts = {node: scene.names[node] for node in wanted}
        widths = [
            min(metrics.horizontalAdvance(texts[node]) + 2 * _PAD, _WIDEST) for node in wanted
        ]
        placed = place_labels(
            _boxes(scene, nodes, zoom), wanted, widths, metrics.height(),
            (-beside, scene.placing.width * zoom + beside), _MOST,
        )  # fmt: skip
        for one in placed:
            room = one.width - 2 * _PAD + 0.5
            text = metrics.elidedText(texts[one.node], Qt.TextElideMode.ElideMiddle, room)
            self.placed.append((one.node, text, QRectF(one.left, one.top, one.width, one.height)))

    def node_at(self, x: float, y: float) -> int | None:
        """Return the node whose name is at a place, in pixels from the drawing's corner."""
        return next((node for node, _, box in self.placed if box.contains(x, y)), None)

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


def _wanted(scene: Scene, nodes: np.ndarray, first: int | None) -> list[int]:
    """Return the nodes that are to be named: the tokens that are explained, then what feeds them.

    Those of the prompt are named by the strip below.
    """
    between = (scene.kind[nodes] == FEATURE) | (scene.kind[nodes] == LOGIT)
    named = nodes[(scene.named[nodes] & between) | ((nodes == first) & between)]
    weight = scene.strength[named] + 10 * scene.probability[named] + 1000 * (named == first)
    return named[np.argsort(-weight, kind="stable")][:_TRIED].tolist()


def _boxes(scene: Scene, nodes: np.ndarray, zoom: float) -> np.ndarray:
    """Return the boxes of nodes in pixels, NaN for all others, (N, 4)."""
    placing = scene.placing
    found = np.full((len(scene.kind), 4), np.nan)
    x, y = placing.x[nodes], placing.y[nodes]
    width, half = placing.widths[nodes] / 2, placing.box.height / 2
    found[nodes] = np.stack([x - width, y - half, x + width, y + half], axis=1) * zoom
    return found
