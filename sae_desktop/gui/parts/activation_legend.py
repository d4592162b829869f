"""The legend of the highlight: a strip from nothing to the maximum, and the switch of scale."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import DECADES, ColourScale, readable_on
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.gui.parts.token_layout import token_colours

_STOPS = 16


class ActivationLegend(QWidget):
    """Says which colour is which activation; a marker shows the token under the pointer."""

    scaleChanged = Signal(bool)
    """True: logarithmic."""

    def __init__(self) -> None:
        super().__init__()
        self._strip = _Strip()
        self.switch = QCheckBox("Logarithmic")
        self.switch.setChecked(True)
        self.switch.setToolTip(
            plain_tip(f"Colour by the logarithm of the activation, over {DECADES:g} decades")
        )
        self.switch.toggled.connect(self._on_toggled)
        caption = QLabel("Activation")
        caption.setProperty("role", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(caption)
        row.addWidget(self._strip)
        row.addWidget(self.switch)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    @property
    def logarithmic(self) -> bool:
        return self.switch.isChecked()

    def set_maximum(self, maximum: float) -> None:
        """Set the activation that has the full accent."""
        self._strip.scale = ColourScale(maximum, self.logarithmic)
        self._strip.update()

    def scale(self) -> ColourScale:
        """Return the scale now chosen."""
        return self._strip.scale

    def set_marker(self, activation: float | None) -> None:
        """Mark an activation on the strip."""
        self._strip.marker = activation
        self._strip.update()

    def _on_toggled(self, logarithmic: bool) -> None:
        self._strip.scale = ColourScale(self._strip.scale.maximum, logarithmic)
        self._strip.update()
        self.scaleChanged.emit(logarithmic)


class _Strip(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.scale = ColourScale(1.0)
        self.marker: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.manager().themeChanged.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(152, QFontMetrics(self.font()).height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = token_colours(theme.palette())
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        gradient = QLinearGradient(box.topLeft(), box.topRight())
        for stop in range(_STOPS + 1):
            position = stop / _STOPS
            value = self.scale.activation(position)
            colour = self.scale.background(value, colours.surface, colours.accent)
            gradient.setColorAt(position, QColor(*colour))
        painter.setBrush(gradient)
        painter.setPen(theme.palette().border)
        painter.drawRoundedRect(box, 4, 4)
        low = self.scale.background(self.scale.activation(0.0), colours.surface, colours.accent)
        inner = box.adjusted(6, 0, -6, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QColor(*readable_on(low, colours.text)))
        least = "≤ " if self.scale.logarithmic else ""
        painter.drawText(
            inner, Qt.AlignmentFlag.AlignLeft | middle, f"{least}{self.scale.activation(0.0):.2g}"
        )
        painter.setPen(QColor(*readable_on(rgb(theme.palette().accent), colours.text)))
        painter.drawText(
            inner, Qt.AlignmentFlag.AlignRight | middle, f"{self.scale.maximum:.3g} max"
        )
        if self.marker is not None and self.marker > 0.0:
            x = box.left() + self.scale.position(self.marker) * box.width()
            painter.setPen(theme.palette().text)
            painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
