"""A thin bar: how much is needed of what there is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sae_desktop.gui.parts import theme

_HEIGHT = 8


class Meter(QWidget):
    """`needed` of `there`; more than there is fills it, in the colour of errors."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._share = 0.0
        self.setAccessibleName(name)
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.manager().themeChanged.connect(self.update)

    def set_amounts(self, needed: float, there: float) -> None:
        """Show a share; words beside it say the amounts."""
        self._share = needed / there if there > 0 else 0.0
        self.setAccessibleDescription(f"{self._share:.0%}")
        self.update()

    @property
    def fits(self) -> bool:
        return self._share <= 1.0

    def sizeHint(self) -> QSize:
        return QSize(120, _HEIGHT)

    def colour(self) -> QColor:
        """Return the bar's colour."""
        colours = theme.palette()
        return colours.accent if self.fits else colours.error

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = QRectF(0, 1, self.width(), _HEIGHT - 2)
        painter.setBrush(theme.palette().hover)
        painter.drawRoundedRect(ground, 3, 3)
        length = max(self.width() * min(self._share, 1.0), _HEIGHT - 2)
        painter.setBrush(self.colour())
        painter.drawRoundedRect(QRectF(0, 1, length, _HEIGHT - 2), 3, 3)
