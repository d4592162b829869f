"""A lit picture taken elsewhere: to the clipboard, and as a PNG."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSize
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter, QPainter
from PySide6.QtWidgets import QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import CHIP, LitDrawing
from sae_desktop.gui.parts.picture_gallery import ShownPicture
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_SIDE = 960
"""Pixels of the longer side of what is copied and saved."""
_MARGIN = 4


def drawn_picture(entry: ShownPicture, scale: ColourScale, *, lit: bool) -> QImage:
    """Return a picture drawn for itself: under its light and outlined, or as it is."""
    aspect = entry.picture.aspect
    size = QSize(round(min(_SIDE, _SIDE * aspect)), round(min(_SIDE, _SIDE / aspect)))
    loose = 2 * CHIP if lit and entry.picture.layout.loose else 0
    side = 2 * _MARGIN
    image = QImage(
        max(size.width(), 24) + side,
        max(size.height(), 24) + loose + side,
        QImage.Format.Format_RGB32,
    )
    image.fill(theme.palette().surface)
    drawing = LitDrawing(entry.picture)
    room = QRectF(image.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    drawing.lay_out(room)
    painter = QPainter(image)
    drawing.paint(painter, scale, lit=lit)
    painter.end()
    return image


def copy_picture(entry: ShownPicture, scale: ColourScale, *, lit: bool) -> None:
    """Put a picture on the clipboard as it is shown."""
    QGuiApplication.clipboard().setImage(drawn_picture(entry, scale, lit=lit))


def save_picture(entry: ShownPicture, scale: ColourScale, path: Path, *, lit: bool) -> None:
    """Write a picture as it is shown as PNG. Raises UserError when it cannot be written."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(drawn_picture(entry, scale, lit=lit))
    with explained(path):
        write_bytes(path, bytes(buffer.data().data()))


def save_picture_dialog(
    parent: QWidget, entry: ShownPicture, scale: ColourScale, *, lit: bool
) -> None:
    """Ask for a file and write a picture as it is shown to it. Raises UserError as above."""
    name = Path(entry.name).stem or "picture"
    first = Path.home() / f"{name}.png"
    chosen = ask_file(parent, "Save the picture", first, "PNG (*.png)")
    if chosen is not None:
        save_picture(entry, scale, chosen.path, lit=lit)
