"""A picture drawn with the light of its tokens' activations over it, at any size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter, QPen

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.theme import Palette, rgb
from sae_desktop.pictures.light import Segment, light, outline, strongest_region, tokens_at
from sae_desktop.pictures.places import PictureLayout
from sae_desktop.pictures.thumbnails import THUMBNAIL_SIDE

CHIP = 12
"""Pixels of the square of a token without a place."""
_CHIP_GAP = 3
_MOST_CHIPS = 12
_LARGEST_FILE = 2**18
"""Bytes of a small copy: one that is larger was not made by this program."""
_LEAST_SIDE = 6.0
"""A strip of a picture is drawn at least this high or wide, or its light could not be seen."""
_SHARP_FROM = 2.0
"""Drawn that much larger or more, pixels stay squares: a blur would look like a picture."""
_GREY, _FAINT = 0.75, 0.22
"""Of its colours and of its contrast, what a picture under the light loses: all orange is light."""
_STRONGEST = 0.82
"""Of the accent over the strongest patch: the picture is still seen through it."""


def decoded_thumbnail(data: bytes) -> QImage:
    """Return a small copy as the stores keep it (WebP); a null image for anything else."""
    return QImage() if len(data) > _LARGEST_FILE else decoded_webp(data, THUMBNAIL_SIDE)


def decoded_webp(data: bytes, side: int) -> QImage:
    """Return a picture that this program has written as WebP; a null image for anything else, and
    where it is larger than `side` pixels either way, which is told before it is decoded."""
    if not data:
        return QImage()
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(b"webp"))
    size = reader.size()
    if not size.isValid() or max(size.width(), size.height()) > side:
        return QImage()
    return reader.read().convertToFormat(QImage.Format.Format_RGB32)


@dataclass(frozen=True, eq=False)
class LitPicture:
    """A picture (or a small copy of it), where its tokens are, and what fires on them (N,)."""

    image: QImage
    layout: PictureLayout
    activations: npt.NDArray[np.float32]
    region: list[int] = field(init=False)
    """The tokens that are outlined."""
    lines: list[Segment] = field(init=False)

    def __post_init__(self) -> None:
        region = strongest_region(self.layout, self.activations)
        object.__setattr__(self, "region", region)
        object.__setattr__(self, "lines", outline(self.layout, region))

    @property
    def peak(self) -> int:
        """The token of the strongest activation."""
        return int(self.activations.argmax()) if len(self.activations) else 0

    @property
    def aspect(self) -> float:
        """Width by height, never so far from 1 that there is nothing to see."""
        return min(max(self.layout.width / max(self.layout.height, 1), 0.02), 50.0)


def lit_image(
    picture: LitPicture, scale: ColourScale, size: QSize, *, lit: bool = True,
    tile: int | None = None,
) -> QImage:  # fmt: skip
    """Return the picture in `size` pixels; `lit`: under the light of its activations."""
    width, height = max(size.width(), 1), max(size.height(), 1)
    image = picture.image
    if image.isNull():
        image = QImage(1, 1, QImage.Format.Format_RGB32)
        image.fill(theme.palette().raised)
    sharp = width >= _SHARP_FROM * image.width() and height >= _SHARP_FROM * image.height()
    how = Qt.TransformationMode
    base = image.scaled(
        width, height, Qt.AspectRatioMode.IgnoreAspectRatio,
        how.FastTransformation if sharp else how.SmoothTransformation,
    ).convertToFormat(QImage.Format.Format_RGB32)  # fmt: skip
    if not lit:
        return base
    colours = _colours(base)
    surface = np.array(rgb(theme.palette().surface), np.float32)
    accent = np.array(rgb(theme.palette().accent), np.float32)
    grey = colours @ np.array([0.299, 0.587, 0.114], np.float32)
    colours += (grey[:, :, None] - colours) * _GREY
    colours += (surface - colours) * _FAINT
    shares = np.array([scale.share(float(a)) for a in picture.activations], np.float32)
    over = light(picture.layout, shares, width, height, tile)[:, :, None] * _STRONGEST
    colours += (accent - colours) * over
    return _image(colours)


def _colours(image: QImage) -> npt.NDArray[np.float32]:
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = lines[:, : image.width() * 4].reshape(image.height(), image.width(), 4)
    return pixels[:, :, 2::-1].astype(np.float32)


def _image(colours: npt.NDArray[np.float32]) -> QImage:
    height, width = colours.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[:, :, 2::-1] = (colours + 0.5).clip(0, 255).astype(np.uint8)
    return QImage(pixels.data, width, height, width * 4, QImage.Format.Format_RGB32).copy()


class LitDrawing:
    """A lit picture at a place: letterboxed there, tokens without a place in a row below it."""

    def __init__(self, picture: LitPicture) -> None:
        self.picture = picture
        self.tile: int | None = None
        """The only tile whose light is drawn; None: that of all."""
        self.box = QRectF()
        """Where the picture itself is."""
        self._chips: list[QRectF] = []
        self._made: tuple[object, ...] = ()
        self._image = QImage()

    def lay_out(self, room: QRectF) -> None:
        """Find the picture's place in the room there is."""
        chips = min(self.picture.layout.loose, _MOST_CHIPS)
        left = room.height() - (CHIP + _CHIP_GAP if chips else 0)
        width = min(room.width(), left * self.picture.aspect)
        height = width / self.picture.aspect
        width, height = max(width, _LEAST_SIDE), max(height, _LEAST_SIDE)
        x, y = room.left() + (room.width() - width) / 2, room.top() + (left - height) / 2
        self.box = QRectF(round(x), round(y), max(round(width), 1), max(round(height), 1))
        row = chips * (CHIP + _CHIP_GAP) - _CHIP_GAP
        first = room.left() + max((room.width() - row) / 2, 0.0)
        self._chips = [
            QRectF(first + n * (CHIP + _CHIP_GAP), room.bottom() - CHIP, CHIP, CHIP)
            for n in range(chips)
        ]

    def paint(
        self, painter: QPainter, scale: ColourScale, *, lit: bool = True, marked: int | None = None
    ) -> None:
        """Draw the picture, what is outlined and, with a line around it, a marked token."""
        colours = theme.palette()
        painter.save()
        painter.drawImage(self.box, self._rendered(painter, scale, lit))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colours.border, 1))
        painter.drawRect(self.box.adjusted(-0.5, -0.5, 0.5, 0.5))
        self._paint_chips(painter, scale, colours)
        if lit and self._of_shown_tile():
            self._paint_outline(painter, colours)
        if marked is not None and (place := self.token_rect(marked)) is not None:
            narrow = min(place.width(), place.height()) < CHIP
            for colour, width in ((colours.surface, 4), (colours.focus, 2)):
                painter.setPen(QPen(colour, 1 if narrow else width))
                painter.drawRect(place)
        painter.restore()

    def _of_shown_tile(self) -> bool:
        region, layout = self.picture.region, self.picture.layout
        return bool(region) and self.tile in (None, layout.place(region[0]).tile)

    def _paint_outline(self, painter: QPainter, colours: Palette) -> None:
        lines = [(self.point(a, b), self.point(c, d)) for a, b, c, d in self.picture.lines]
        thin = min(self.box.width(), self.box.height()) < 4 * CHIP
        around, line = (1.5, 1.0) if thin else (3.5, 1.5)
        for colour, width in ((colours.surface, around), (colours.text, line)):
            pen = QPen(colour, width)
            pen.setCapStyle(Qt.PenCapStyle.SquareCap)
            painter.setPen(pen)
            for start, end in lines:
                painter.drawLine(start, end)

    def _paint_chips(self, painter: QPainter, scale: ColourScale, colours: Palette) -> None:
        strongest = self.picture.peak
        for number, chip in enumerate(self._chips):
            fired = float(self.picture.activations[number])
            painter.setBrush(
                QColor(*scale.background(fired, rgb(colours.surface), rgb(colours.accent)))
            )
            outlined = number == strongest and fired > 0.0
            painter.setPen(
                QPen(colours.text if outlined else colours.border, 1.5 if outlined else 1)
            )
            painter.drawRoundedRect(chip, 3, 3)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _rendered(self, painter: QPainter, scale: ColourScale, lit: bool) -> QImage:
        ratio = painter.device().devicePixelRatio()
        size = QSize(round(self.box.width() * ratio), round(self.box.height() * ratio))
        made = (size.width(), size.height(), scale, lit, self.tile, theme.palette())
        if made != self._made:
            self._image = lit_image(self.picture, scale, size, lit=lit, tile=self.tile)
            self._made = made
        return self._image

    # ------------------------------------------------------------------ places
    def point(self, x: float, y: float) -> QPointF:
        """Return where a pixel of the picture is drawn."""
        layout = self.picture.layout
        return QPointF(
            self.box.left() + x / max(layout.width, 1) * self.box.width(),
            self.box.top() + y / max(layout.height, 1) * self.box.height(),
        )

    def token_rect(self, token: int) -> QRectF | None:
        """Return where a token is drawn; None where it is not, as beside the picture."""
        layout = self.picture.layout
        if token < layout.loose:
            return self._chips[token] if token < len(self._chips) else None
        place = layout.place(token)
        found = QRectF(self.point(place.left, place.top), self.point(place.right, place.bottom))
        return found if found.width() > 0 and found.height() > 0 else None

    def tokens_under(self, point: QPointF) -> list[int]:
        """Return the tokens at a point, those of the smallest patches first."""
        for number, chip in enumerate(self._chips):
            if chip.contains(point):
                return [number]
        if not self.box.contains(point):
            return []
        layout = self.picture.layout
        found = tokens_at(
            layout,
            (point.x() - self.box.left()) / self.box.width() * layout.width,
            (point.y() - self.box.top()) / self.box.height() * layout.height,
        )
        if self.tile is not None:
            found = [token for token in found if layout.place(token).tile == self.tile]
        return found
