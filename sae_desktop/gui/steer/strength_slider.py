"""A slider from one strength over nothing to the other."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QStyle
from superqt import QDoubleSlider

from sae_desktop.gui.parts import theme
from sae_desktop.gui.steer.rack import LIMIT, STEPS

_STEPS: dict[int, float] = {
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_PageUp: 4,
    Qt.Key.Key_PageDown: -4,
}
"""Steps of a key."""
_BAND = 0.14
_HALF_BAND = 7.0
"""Of the band in which texts stay whole: how much it covers, and half its height."""


def slider_colour(number: int) -> QColor:
    """Return the colour of the number-th slider of a rack; they come again after the last."""
    colours = theme.run_colours()
    return colours[number % len(colours)]


class StrengthSlider(QDoubleSlider):
    """Moves in steps from the middle, in a colour of its own.

    Delete puts it back; the wheel only moves it once it has the focus.
    """

    doubleClicked = Signal()
    resetChosen = Signal()

    def __init__(self, colour: int) -> None:
        """`colour` counts in `theme.run_colours`."""
        super().__init__(Qt.Orientation.Horizontal)
        self.colour = colour
        self.on = False
        self.safe: tuple[float, float] | None = None
        """From where to where texts stay whole; None: not known."""
        self.limit = LIMIT
        self.set_limit(LIMIT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.manager().themeChanged.connect(self.update)

    def set_limit(self, limit: float) -> None:
        """Go from −limit to limit."""
        self.limit = limit
        self.setRange(-limit, limit)
        self.setSingleStep(self.step)
        self.setPageStep(4 * self.step)
        self.update()

    @property
    def step(self) -> float:
        return 2 * self.limit / STEPS

    def set_safe(self, safe: tuple[float, float] | None) -> None:
        """Draw a band from where to where texts stay whole."""
        self.safe = safe
        self.update()

    def set_on(self, on: bool) -> None:
        """Paint the slider as one that does something, or as one that does not."""
        self.on = on
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, 28)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.doubleClicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # The slider underneath knows no keys.
        key, value = event.key(), float(self.value())
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.resetChosen.emit()
        elif key == Qt.Key.Key_Home:
            self.setValue(-self.limit)
        elif key == Qt.Key.Key_End:
            self.setValue(self.limit)
        elif key in _STEPS:
            self.setValue(value + _STEPS[key] * self.step)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def x_of(self, strength: float) -> float:
        """Return where a strength lies on the groove."""
        length = self.style().pixelMetric(QStyle.PixelMetric.PM_SliderLength, None, self)
        return length / 2 + (strength + self.limit) / (2 * self.limit) * (self.width() - length)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        middle = self.height() / 2 - 2.0
        left, right, zero, at = (
            self.x_of(x) for x in (-self.limit, self.limit, 0.0, float(self.value()))
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.border)
        painter.drawRoundedRect(QRectF(left, middle - 2, right - left, 4), 2, 2)
        self._paint_safe(painter, middle)
        hue = slider_colour(self.colour)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(hue if self.on else colours.muted_text)
        painter.drawRect(QRectF(min(zero, at), middle - 2, abs(at - zero), 4))
        painter.setPen(QPen(colours.muted_text, 1))
        for part in (-1.0, -0.5, 0.0, 0.5, 1.0):
            x = round(self.x_of(part * self.limit)) + 0.5
            painter.drawLine(QPointF(x, middle + 8), QPointF(x, middle + (13 if part == 0 else 11)))
        focus = self.hasFocus()
        edge = colours.focus if focus else hue if self.on else colours.muted_text
        painter.setPen(QPen(edge, 3 if focus else 2))
        painter.setBrush(colours.surface)
        painter.drawEllipse(QPointF(at, middle), 6.5, 6.5)

    def _paint_safe(self, painter: QPainter, middle: float) -> None:
        """Draw the band in which texts stay whole, closed at its ends as a bracket is."""
        if self.safe is None:
            return
        ends = [self.x_of(min(max(end, -self.limit), self.limit)) for end in self.safe]
        colours = theme.palette()
        ground = QColor(colours.text)
        ground.setAlphaF(_BAND)
        painter.setBrush(ground)
        painter.drawRect(QRectF(ends[0], middle - _HALF_BAND, ends[1] - ends[0], 2 * _HALF_BAND))
        painter.setPen(QPen(colours.muted_text, 1))
        for x in (round(end) + 0.5 for end in ends):
            painter.drawLine(QPointF(x, middle - _HALF_BAND), QPointF(x, middle + _HALF_BAND))
