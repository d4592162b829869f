"""One picture as large as there is room for, whose tokens the arrow keys go through."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.lit_drawing import LitDrawing

_MARGIN = 8
STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
"""Key → rows and columns to go."""


class PictureCanvas(QWidget):
    """Lays a picture out and frames it where it has the keys; `paint_picture` draws it."""

    def __init__(self, name: str) -> None:
        """`name`: what the widget is called to who cannot see it."""
        super().__init__()
        self._drawing: LitDrawing | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(name)
        theme.manager().themeChanged.connect(self.update)

    def paint_picture(self, painter: QPainter, drawing: LitDrawing) -> None:
        """Draw the picture where it was laid out."""
        raise NotImplementedError

    def lay_out(self) -> None:
        """Give the picture the room there is."""
        if self._drawing is not None:
            room = QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
            self._drawing.lay_out(room)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._drawing is not None:
            self.paint_picture(painter, self._drawing)
        if self.hasFocus():
            painter.setPen(QPen(theme.palette().focus, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 4, 4)
