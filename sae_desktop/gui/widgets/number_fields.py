"""Fields for counts and small numbers."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox

_MARGIN = 6
_UNSET = -1.0


def inset(field: QAbstractSpinBox) -> None:
    """Give a spin box's text the gap at its left that the style sheet gives other fields."""
    field.lineEdit().setTextMargins(_MARGIN, 0, 0, 0)


class CountField(QSpinBox):
    """A count that steps by its own size: 10k, 20k … 100k, 200k …"""

    def __init__(self, value: int, low: int = 1_000, high: int = 2_000_000_000) -> None:
        super().__init__()
        self.setRange(low, high)
        self.setGroupSeparatorShown(True)
        self.setValue(value)
        self.setMinimumWidth(140)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        inset(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Who scrolls the panel past it means the panel.
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def stepBy(self, steps: int) -> None:
        magnitude = 10 ** (len(str(self.value() - (1 if steps < 0 else 0))) - 1)
        self.setValue(self.value() + steps * max(magnitude, 1))


class DecimalField(QDoubleSpinBox):
    """A number from 0 up that steps by a tenth of its size."""

    def __init__(self, value: float, high: float, digits: int) -> None:
        super().__init__()
        self.setDecimals(digits)
        self.setRange(0.0, high)
        self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.setValue(value)
        inset(self)

    def textFromValue(self, value: float) -> str:
        """Return the number without zeros at its end: 0.2, not 0.200000."""
        text = super().textFromValue(value)
        point = self.locale().decimalPoint()
        return text.rstrip("0").removesuffix(point) if point in text else text


class OptionalDecimalField(DecimalField):
    """A number, or none of one's own: the default, which it names."""

    def __init__(self, high: float, digits: int) -> None:
        super().__init__(0.0, high, digits)
        self.setMinimum(_UNSET)
        self._default = 0.0
        self.setValue(_UNSET)
        self.set_default(0.0)

    def set_default(self, value: float) -> None:
        """Say what is taken where none is chosen; 0 is not named."""
        self._default = value
        self.setSpecialValueText(f"default ({value:g})" if value else "default")

    def chosen(self) -> float | None:
        """The number; None: the default."""
        return None if self.value() < 0 else self.value()

    def choose(self, value: float | None) -> None:
        self.setValue(_UNSET if value is None else value)

    def stepBy(self, steps: int) -> None:
        """Step from the default's value; below 0 it is the default again."""
        if self.value() < 0 and steps > 0:
            self.setValue(self._default)
        elif self.value() <= 0 and steps < 0:
            self.setValue(_UNSET)
        else:
            super().stepBy(steps)
            self.setValue(max(self.value(), 0.0))
