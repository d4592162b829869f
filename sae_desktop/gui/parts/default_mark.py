"""What differs from the default is marked, and the mark leads back."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.number_fields import NumberField, OptionalDecimalField
from sae_desktop.gui.parts.plain_text import plain_tip

MARK_SIZE = 18
"""Of the mark; a line with a name keeps this height whether it has one or not."""


def read_field(field: QWidget) -> Any:
    """Return what a field holds."""
    if isinstance(field, QComboBox):
        return field.currentData()
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, QLineEdit):
        return field.text().strip()
    if isinstance(field, OptionalDecimalField):
        return field.chosen()
    return field.value()  # type: ignore[attr-defined]


def fill_field(field: QWidget, value: Any) -> None:
    """Put a value into a field."""
    if isinstance(field, QComboBox):
        field.setCurrentIndex(field.findData(value))
    elif isinstance(field, QCheckBox):
        field.setChecked(value)
    elif isinstance(field, QLineEdit):
        field.setText(value)
    elif isinstance(field, OptionalDecimalField):
        field.choose(value)
    else:
        field.setValue(value)  # type: ignore[attr-defined]


def value_text(field: QWidget, value: Any) -> str:
    """Return a value as the field shows it."""
    if isinstance(field, QComboBox):
        return field.itemText(field.findData(value))
    if isinstance(field, QCheckBox):
        return "on" if value else "off"
    if isinstance(field, NumberField):
        least = value is None or value == field.minimum()
        if least and field.specialValueText():
            return field.specialValueText()
        return field.textFromValue(value)
    return str(value)


class DefaultMark(QPushButton):
    """Seen while a field holds something else than its default; a click puts that back."""

    def __init__(self, name: str, field: QWidget, default: Any) -> None:
        super().__init__()
        self._name, self._field, self._default = name, field, default
        self.setProperty("flat", "true")
        self.setProperty("mark", "true")
        self.setFixedSize(MARK_SIZE, MARK_SIZE)
        self.setIconSize(QSize(MARK_SIZE - 4, MARK_SIZE - 4))
        self.setAutoDefault(False)
        icons.set_icon(self, "arrow-counter-clockwise", "accent")
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.clicked.connect(self.put_back)
        self._follow()
        self.refresh()

    def _follow(self) -> None:
        field = self._field
        if isinstance(field, QComboBox):
            field.currentIndexChanged.connect(self.refresh)
        elif isinstance(field, QCheckBox):
            field.toggled.connect(self.refresh)
        elif isinstance(field, QLineEdit):
            field.textChanged.connect(self.refresh)
        elif isinstance(field, NumberField):
            field.valueChanged.connect(self.refresh)
            field.problemChanged.connect(self.refresh)

    @property
    def differs(self) -> bool:
        """Whether the field holds something else than its default, or what cannot be read."""
        if isinstance(self._field, NumberField) and self._field.problem:
            return True
        if isinstance(self._field, QComboBox) and self._field.findData(self._default) < 0:
            return False  # the default is not on offer here
        return bool(read_field(self._field) != self._default)

    def refresh(self, _value: object = None) -> None:
        """Look again at what the field holds."""
        self.setVisible(self.differs)
        text = f"Back to the default: {value_text(self._field, self._default)}"
        self.setToolTip(plain_tip(text))
        self.setAccessibleName(f"{self._name}: {text[0].lower()}{text[1:]}")

    def put_back(self) -> None:
        """Give the field its default."""
        fill_field(self._field, self._default)
        self._field.setFocus()


def row_with_mark(left: QWidget, mark: DefaultMark | None) -> QHBoxLayout:
    """Return a row of a field’s name, or of the field, with its mark at the right."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    left.setMinimumHeight(MARK_SIZE)
    row.addWidget(left, 1)
    if mark is not None:
        row.addWidget(mark)
    return row
