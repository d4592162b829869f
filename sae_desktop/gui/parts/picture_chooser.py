"""A lit picture whose patches are chosen: one by a click or Return, several by drawing a box."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.lit_drawing import LitPicture
from sae_desktop.gui.parts.picture_view import PictureView


class PictureChooser(PictureView):
    """Says which patches are asked about; those keep a line around them."""

    tokensChosen = Signal(object)
    """The tokens of a picture, ascending: one that was clicked, or those within a box."""

    def __init__(self) -> None:
        super().__init__()
        self._chosen: list[int] = []
        self._begun: QPointF | None = None
        """Where the button went down, until it is let go."""
        self._box = QRectF()

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 100)

    def set_picture(self, picture: LitPicture | None) -> None:
        """Show a picture; what was chosen is said again by `set_chosen`."""
        self._chosen, self._begun, self._box = [], None, QRectF()
        super().set_picture(picture)

    @property
    def activations(self) -> npt.NDArray[np.float32]:
        """(N,), of the tokens of the picture that is shown."""
        none = np.empty(0, np.float32)
        return none if self._drawing is None else self._drawing.picture.activations

    def set_chosen(self, tokens: list[int]) -> None:
        """Draw a line around the tokens that are asked about."""
        self._chosen = tokens
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._drawing is None:
            return
        painter = QPainter(self)
        colours = theme.palette()
        for token in self._chosen:
            place = self._drawing.token_rect(token)
            if place is not None:
                painter.setPen(QPen(colours.surface, 3))
                painter.drawRect(place.adjusted(1, 1, -1, -1))
                painter.setPen(QPen(colours.focus, 1.5))
                painter.drawRect(place.adjusted(1, 1, -1, -1))
        if not self._box.isNull():
            painter.setPen(QPen(colours.focus, 1, Qt.PenStyle.DashLine))
            painter.drawRect(self._box)

    # ------------------------------------------------------------------ pointer and keys
    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and self._drawing is not None:
            self._begun = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if self._begun is not None:
            box = QRectF(self._begun, event.position()).normalized()
            far = max(box.width(), box.height()) >= QApplication.startDragDistance()
            self._box = box if far else QRectF()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        begun, box = self._begun, self._box
        self._begun, self._box = None, QRectF()
        if begun is None or self._drawing is None:
            return
        found = self._within(box) if not box.isNull() else self._drawing.tokens_under(begun)[:1]
        if found:
            self.tokensChosen.emit(found)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
        if event.key() in keys and self.token is not None:
            self.tokensChosen.emit([self.token])
        else:
            super().keyPressEvent(event)

    def _within(self, box: QRectF) -> list[int]:
        """Return the tokens whose middle lies in a box."""
        assert self._drawing is not None
        places = (self._drawing.token_rect(t) for t in range(self._drawing.picture.layout.tokens))
        return [t for t, place in enumerate(places) if place and box.contains(place.center())]
