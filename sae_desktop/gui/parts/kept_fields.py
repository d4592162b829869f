"""Fields whose values are kept for each project, and come back the next time it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTabWidget,
    QWidget,
)

from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.state.session import Session

Fields = Mapping[str, QWidget]
"""Name in what is kept → field. What can be kept: see `_value`."""


def keep_fields(session: Session, owner: QObject, fields: Fields, *, part: str = "") -> None:
    """Keep the values of fields of a panel with the open project."""
    session.place.add(owner, partial(values_of, fields), partial(give_values, fields), part=part)


def values_of(fields: Fields) -> dict[str, Any]:
    """Return the values of fields as plain data."""
    return {name: _value(field) for name, field in fields.items()}


def give_values(fields: Fields, kept: Mapping[str, Any]) -> None:
    """Set fields to values kept; what a field cannot show leaves it as it is."""
    for name, field in fields.items():
        if name in kept and kept[name] != _value(field):
            _set(field, kept[name])


def _value(field: QWidget) -> Any:
    match field:
        case QComboBox():
            data = field.currentData()
            return field.currentText() if data is None else data
        case _ if isinstance(field, NumberField):
            return field.value()
        case QAbstractButton():
            return field.isChecked()
        case QLineEdit():
            return field.text()
        case QPlainTextEdit():
            return field.toPlainText()
        case QTabWidget():
            return field.currentIndex()
        case QSplitter():
            return field.sizes()
    raise TypeError(f"{type(field).__name__} has no value to be kept")


def _set(field: QWidget, value: Any) -> None:
    match field:
        case QComboBox():
            place = field.findData(value)
            place = field.findText(value) if place < 0 and isinstance(value, str) else place
            if place >= 0:
                field.setCurrentIndex(place)
        case _ if isinstance(field, NumberField) and isinstance(value, int | float):
            field.setValue(value)
        case QAbstractButton() if isinstance(value, bool):
            field.setChecked(value)
        case QLineEdit() if isinstance(value, str):
            field.setText(value)
        case QPlainTextEdit() if isinstance(value, str):
            field.setPlainText(value)
        case QTabWidget() if isinstance(value, int) and 0 <= value < field.count():
            field.setCurrentIndex(value)
        case QSplitter() if isinstance(value, list) and len(value) == field.count():
            if sum(value) > 0:  # of one that was never shown
                field.setSizes(value)
