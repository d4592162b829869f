"""Fields for counts and small numbers."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox

_MARGIN = 6


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
        inset(self)

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
