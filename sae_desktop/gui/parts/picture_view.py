"""One lit picture, as large as there is room: the pointer and the arrow keys read its patches."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
)

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import LitDrawing, LitPicture
from sae_desktop.gui.parts.picture_canvas import STEPS, PictureCanvas
from sae_desktop.pictures.light import next_token
from sae_desktop.words.picture_words import place_words


class PictureView(PictureCanvas):
    """A picture under its light. Arrow keys go from patch to patch, Home to the strongest."""

    tokensRead = Signal(object)
    """The tokens under the pointer or the keys, those of the smallest patches first."""

    def __init__(self) -> None:
        super().__init__("Picture with its activations")
        self._scale = ColourScale(1.0)
        self._lit = True
        self._hovered: list[int] = []
        self._at: int | None = None
        """The token that the keys are at."""

    def set_picture(self, picture: LitPicture | None) -> None:
        """Show a picture; None: nothing."""
        self._drawing = None if picture is None else LitDrawing(picture)
        self._hovered, self._at = [], None
        self.lay_out()
        self.read_strongest()

    def set_scale(self, scale: ColourScale) -> None:
        """Colour by another scale."""
        self._scale = scale
        self.update()

    def set_lit(self, lit: bool) -> None:
        """Show the picture under its light, or as it is."""
        self._lit = lit
        self.update()

    def set_tile(self, tile: int | None) -> None:
        """Show the light of one tile alone; None: of all."""
        if self._drawing is not None:
            self._drawing.tile = tile
        self.update()

    @property
    def token(self) -> int | None:
        """The token that is read: under the pointer, or else at the keys."""
        return self._hovered[0] if self._hovered else self._at

    def read_strongest(self) -> None:
        """Go to the token of the strongest activation."""
        if self._drawing is not None:
            self._go_to(self._drawing.picture.peak)

    # ------------------------------------------------------------------ layout and painting
    def sizeHint(self) -> QSize:
        return QSize(560, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 200)

    def paint_picture(self, painter: QPainter, drawing: LitDrawing) -> None:
        drawing.paint(painter, self._scale, lit=self._lit, marked=self.token)

    # ------------------------------------------------------------------ pointer and keys
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover([] if self._drawing is None else self._drawing.tokens_under(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._hovered and event.button() == Qt.MouseButton.LeftButton:
            self._go_to(self._hovered[0])

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover([])

    def _hover(self, tokens: list[int]) -> None:
        if tokens != self._hovered:
            self._hovered = tokens
            self._say()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._drawing is None or self._at is None:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Home:
            self.read_strongest()
        elif event.key() in STEPS:
            layout = self._drawing.picture.layout
            self._go_to(next_token(layout, self._at, *STEPS[Qt.Key(event.key())]))
        else:
            super().keyPressEvent(event)

    def _go_to(self, token: int) -> None:
        self._at = token
        self._say()

    def _say(self) -> None:
        self.update()
        token = self.token
        if self._drawing is None or token is None:
            return
        picture = self._drawing.picture
        self.tokensRead.emit(self._hovered or [token])
        fired = float(picture.activations[token]) if token < len(picture.activations) else 0.0
        self.setAccessibleDescription(
            f"{place_words(picture.layout, token)}: activation {fired:.3f}"
        )
        changed = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
        QAccessible.updateAccessibility(changed)
