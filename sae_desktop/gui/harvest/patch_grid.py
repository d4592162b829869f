"""One picture with the grid of its patches: the pointer and the arrow keys read them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import LitDrawing, LitPicture, decoded_thumbnail
from sae_desktop.gui.parts.picture_canvas import STEPS, PictureCanvas
from sae_desktop.language_model.picture_config import PicturePreview
from sae_desktop.pictures.light import next_token
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.words.picture_words import place_words

_LEAST_CELL = 3.0
"""Pixels: of smaller patches no lines are drawn, they would hide the picture."""


class PatchGrid(PictureCanvas):
    """A picture as the model divides it; without a model, the picture alone."""

    placeRead = Signal(str)
    """Where the patch at the pointer or the keys is, in words; empty: there is none."""

    def __init__(self) -> None:
        super().__init__("Picture with the grid of its patches")
        self._placed = False
        self._hovered: int | None = None
        self._at: int | None = None

    def show_picture(self, picture: PicturePreview | None) -> None:
        """Show a picture; None: nothing."""
        self._hovered = self._at = None
        self._drawing = None
        self._placed = picture is not None and picture.layout is not None
        if picture is not None:
            whole = Tile(1, 1, 0.0, 0.0, picture.width, picture.height)
            layout = picture.layout or PictureLayout(picture.width, picture.height, [whole])
            quiet = np.zeros(layout.tokens, np.float32)
            self._drawing = LitDrawing(
                LitPicture(decoded_thumbnail(picture.thumbnail), layout, quiet)
            )
        self.lay_out()
        self._say()

    @property
    def token(self) -> int | None:
        """The token under the pointer, or else at the keys."""
        return self._at if self._hovered is None else self._hovered

    # ------------------------------------------------------------------ layout and painting
    def sizeHint(self) -> QSize:
        return QSize(200, 180)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 120)

    def paint_picture(self, painter: QPainter, drawing: LitDrawing) -> None:
        drawing.paint(painter, ColourScale(1.0), lit=False)
        if self._placed:
            for tile in drawing.picture.layout.tiles:
                self._paint_tile(painter, drawing, tile)
            self._paint_token(painter, drawing)

    def _paint_tile(self, painter: QPainter, drawing: LitDrawing, tile: Tile) -> None:
        """Draw the lines between a tile's patches, as far as the picture goes."""
        right = tile.left + tile.columns * tile.cell_width
        bottom = tile.top + tile.rows * tile.cell_height
        first, last = drawing.point(tile.left, tile.top), drawing.point(right, bottom)
        if (
            min((last.x() - first.x()) / tile.columns, (last.y() - first.y()) / tile.rows)
            < _LEAST_CELL
        ):
            return
        painter.save()
        painter.setClipRect(drawing.box)
        for colour, width in ((theme.palette().surface, 2.0), (theme.palette().accent, 0.8)):
            painter.setPen(QPen(colour, width))
            for column in range(tile.columns + 1):
                x = tile.left + column * tile.cell_width
                painter.drawLine(drawing.point(x, tile.top), drawing.point(x, bottom))
            for row in range(tile.rows + 1):
                y = tile.top + row * tile.cell_height
                painter.drawLine(drawing.point(tile.left, y), drawing.point(right, y))
        painter.restore()

    def _paint_token(self, painter: QPainter, drawing: LitDrawing) -> None:
        token = self.token
        place = None if token is None else drawing.token_rect(token)
        if place is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, width in ((theme.palette().surface, 4), (theme.palette().focus, 2)):
                painter.setPen(QPen(colour, width))
                painter.drawRect(place)

    # ------------------------------------------------------------------ pointer and keys
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = []
        if self._drawing is not None and self._placed:
            found = self._drawing.tokens_under(event.position())
        self._hover(found[0] if found else None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(None)

    def _hover(self, token: int | None) -> None:
        if token != self._hovered:
            self._hovered = token
            self._say()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._drawing is None or not self._placed or event.key() not in STEPS:
            super().keyPressEvent(event)
            return
        layout = self._drawing.picture.layout
        step = STEPS[Qt.Key(event.key())]
        first = layout.loose if layout.tokens > layout.loose else 0
        self._at = first if self._at is None else next_token(layout, self._at, *step)
        self._say()

    def _say(self) -> None:
        self.update()
        text = ""
        if self._drawing is not None and self.token is not None:
            text = place_words(self._drawing.picture.layout, self.token)
        self.setAccessibleDescription(text)
        self.placeRead.emit(text)
