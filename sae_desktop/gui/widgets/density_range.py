"""A range of densities on a logarithmic slider."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget
from superqt import QRangeSlider

from sae_desktop.gui import theme
from sae_desktop.gui.feature_filter import FeatureFilter
from sae_desktop.gui.number_text import percent_text
from sae_desktop.gui.widgets.labels import label

_STEPS_A_DECADE = 10
_DECADES = 6


def density_of_step(step: int) -> float:
    """Return the density at a slider's step: 10⁻⁶ at the first, 1 at the last."""
    return float(10 ** (step / _STEPS_A_DECADE - _DECADES))


class _Slider(QRangeSlider):
    """A range slider that knows the arrow keys: with Shift they move the lower end."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        low, high = self.value()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            low = min(max(low + step, self.minimum()), high)
        else:
            high = max(min(high + step, self.maximum()), low)
        self.setValue((low, high))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setPen(theme.palette().focus)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))


class DensityRange(QWidget):
    """From one in a million tokens to every token; the ends mean no bound."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._last = _STEPS_A_DECADE * _DECADES
        self._slider = _Slider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, self._last)
        self._slider.setValue((0, self._last))
        self._slider.setAccessibleName("Range of densities")
        self._slider.setToolTip(
            "Share of tokens on which a feature fires, on a log scale. "
            "Arrow keys move the upper end, with Shift the lower."
        )
        self._slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._text = label("", "small")
        self._text.setMinimumWidth(self._text.fontMetrics().horizontalAdvance("0.0001–0.0001%"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(label("Density", "small"))
        row.addWidget(self._slider, 1)
        row.addWidget(self._text)
        self._slider.valueChanged.connect(self._on_changed)
        self._say()

    def bounds(self) -> tuple[float, float]:
        """Return (least, most) density; 0 and 1 where there is no bound."""
        low, high = self._slider.value()
        least = 0.0 if low == 0 else density_of_step(low)
        return least, 1.0 if high == self._last else density_of_step(high)

    def set_steps(self, low: int, high: int) -> None:
        """Move the handles to steps of the slider, 0 to 60."""
        self._slider.setValue((low, high))

    def reset(self) -> None:
        """Take the bounds away."""
        self._slider.setValue((0, self._last))

    def _on_changed(self) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        least, most = self.bounds()
        if (least, most) == (FeatureFilter.least_density, FeatureFilter.most_density):
            self._text.setText("any")
        elif least == 0.0:
            self._text.setText(f"≤ {percent_text(most, 2)}")
        elif most == 1.0:
            self._text.setText(f"≥ {percent_text(least, 2)}")
        else:
            low = percent_text(least, 2).removesuffix("%")
            self._text.setText(f"{low}–{percent_text(most, 2)}")
