"""A picture of a whole graph, with its tokens and layers, whatever of it is in sight."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QRectF, QSize
from PySide6.QtGui import QFont, QFontMetrics, QImage, QPainter

from sae_desktop.errors import UserError
from sae_desktop.gui.circuits.canvas.axes import Axes
from sae_desktop.gui.circuits.canvas.camera import Camera
from sae_desktop.gui.circuits.canvas.painting import TEXT_FROM, Painter
from sae_desktop.gui.circuits.canvas.scene import Scene
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_image import PRINT_WIDTH
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_ZOOM = 1.0
_MOST_PIXELS = 16_000
"""Along a side of a PNG: a larger one is drawn smaller."""


def save_picture(scene: Scene, font: QFont, path: Path) -> None:
    """Write a picture of all of a scene, as PNG or SVG by the path's ending.

    Raises UserError for another ending, and when it cannot be written.
    """
    axes = Axes(scene.tokens, scene.layers, QFontMetrics(font))
    zoom = max(_ZOOM, TEXT_FROM)
    foot = axes.bottom(turned=False)
    size = QSize(
        round(scene.placing.width * zoom) + axes.left, round(scene.placing.height * zoom) + foot
    )
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    match path.suffix.lower():
        case ".png":
            ratio = max(PRINT_WIDTH / size.width(), 2.0)
            ratio = min(ratio, _MOST_PIXELS / max(size.width(), size.height()))
            image = QImage(size * ratio, QImage.Format.Format_RGB32)
            image.setDevicePixelRatio(ratio)
            painter = QPainter(image)
            _paint(painter, scene, axes, font, size, zoom)
            painter.end()
            image.save(buffer, "PNG")  # type: ignore[call-overload]
        case ".svg":
            from PySide6.QtSvg import QSvgGenerator  # only then: the window starts without it

            generator = QSvgGenerator()
            generator.setOutputDevice(buffer)
            generator.setSize(size)
            generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
            painter = QPainter(generator)
            _paint(painter, scene, axes, font, size, zoom)
            painter.end()
        case _:
            raise UserError(
                f"“{path.name}” is not a picture format that can be saved.",
                next_step="Use a name that ends in .png or .svg.",
            )
    with explained(path):
        write_bytes(path, bytes(buffer.data().data()))


def _paint(
    painter: QPainter, scene: Scene, axes: Axes, font: QFont, size: QSize, zoom: float
) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(font)
    painter.fillRect(0, 0, size.width(), size.height(), theme.palette().surface)
    area = QRectF(axes.left, 0, size.width() - axes.left, size.height() - axes.bottom(turned=False))
    painter.save()
    painter.setClipRect(area)
    painter.translate(area.topLeft())
    painter.scale(zoom, zoom)
    whole = QRectF(0, 0, scene.placing.width, scene.placing.height)
    Painter(scene, font).paint(painter, whole, zoom)
    painter.restore()
    camera = Camera(0.0, 0.0, zoom)
    axes.paint_layers(
        painter, scene.placing, camera, QRectF(0, 0, area.left(), area.height()), None
    )
    below = QRectF(area.left(), area.bottom(), area.width(), size.height() - area.bottom())
    axes.paint_tokens(painter, scene.placing, camera, below, turned=False, marked=None)
