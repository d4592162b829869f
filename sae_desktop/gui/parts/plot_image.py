"""Pictures of plots: for the clipboard, and at print size as PNG or SVG."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QPoint, QSize
from PySide6.QtGui import QGuiApplication, QPainter, QPixmap, QRegion
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.curve_bar import menu_button
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_ON_SCREEN = 2.0
"""Pixels of a picture for the clipboard, in those of the screen."""
PRINT_WIDTH = 2000
"""Pixels of a PNG at least: 17 cm at 300 dots an inch."""
PICTURES = "PNG (*.png);;SVG (*.svg)"
"""What a dialog that asks for a picture's file offers."""


def picture(widget: QWidget, ratio: float = _ON_SCREEN) -> QPixmap:
    """Return a picture of the widget on the palette's surface, `ratio` pixels for each of its."""
    ratio *= widget.devicePixelRatioF()
    pixmap = QPixmap(widget.size() * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(theme.palette().surface)
    # A view has a `render` of its own, which draws its scene without the plot's ground.
    QWidget.render(widget, pixmap, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    return pixmap


def copy_image(widget: QWidget) -> None:
    """Put a picture of the widget on the clipboard."""
    QGuiApplication.clipboard().setPixmap(picture(widget))


def save_image(widget: QWidget, path: Path) -> None:
    """Write a picture of the widget at print size, as PNG or SVG by the path's ending.

    Raises UserError for another ending, and when it cannot be written.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    match path.suffix.lower():
        case ".png":
            picture(widget, max(PRINT_WIDTH / max(widget.width(), 1), _ON_SCREEN)).save(
                buffer, "PNG"
            )
        case ".svg":
            _draw_svg(widget, buffer)
        case _:
            raise UserError(
                f"“{path.name}” is not a picture format that can be saved.",
                next_step="Use a name that ends in .png or .svg.",
            )
    with explained(path):
        write_bytes(path, bytes(buffer.data().data()))


def _draw_svg(widget: QWidget, buffer: QBuffer) -> None:
    from PySide6.QtSvg import QSvgGenerator  # only then: the window starts without it

    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(QSize(widget.width(), widget.height()))
    generator.setViewBox(widget.rect())
    painter = QPainter(generator)
    painter.fillRect(widget.rect(), theme.palette().surface)
    QWidget.render(widget, painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    painter.end()


def ask_image(widget: QWidget, name: str) -> None:
    """Ask for a file and write a picture of the widget to it. Raises UserError as `save_image`."""
    chosen = ask_file(widget, "Save as a picture", Path.home() / f"{name}.png", PICTURES)
    if chosen is not None:
        save_image(widget, chosen.path)


def add_image_actions(menu: QMenu, widget: QWidget, name: str) -> None:
    """Offer a picture of the widget for the clipboard, and as a file called `name` at first."""
    menu.addAction("Copy as image", lambda: copy_image(widget))
    menu.addAction("Save as PNG or SVG…", lambda: ask_image(widget, name))


def image_button(widget: QWidget, name: str) -> QToolButton:
    """Return a flat button that offers pictures of the widget."""
    menu = QMenu(widget)
    add_image_actions(menu, widget, name)
    return menu_button("Picture", "image", menu)
