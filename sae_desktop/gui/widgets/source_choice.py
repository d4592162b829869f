"""A choice between what ships and what one names oneself: a file, a folder, a name on the hub."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.widgets.labels import push_button

_TYPING_MS = 500


@dataclass(frozen=True)
class SourceOption:
    """A fixed value, or one that is typed or browsed for."""

    text: str
    value: str = ""
    """Of a fixed option; empty for one with a field."""
    browse: str = ""
    """What is browsed for: "folder", or a file dialog's filter; empty: nothing."""
    placeholder: str = ""


class SourceChoice(QWidget):
    """Radio buttons; the field of the chosen one appears below it."""

    changed = Signal(str)
    """The value, once typing has stopped for a moment."""

    def __init__(self, name: str, options: list[SourceOption]) -> None:
        super().__init__()
        self._options = options
        self._group = QButtonGroup(self)
        self._fields: dict[int, QLineEdit] = {}
        self._rows: dict[int, QWidget] = {}
        self._last = ""
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for number, option in enumerate(options):
            radio = QRadioButton(option.text)
            radio.setAccessibleName(f"{name}: {option.text}")
            self._group.addButton(radio, number)
            column.addWidget(radio)
            if not option.value:
                column.addWidget(self._field_row(number, option))
        self._group.button(0).setChecked(True)
        self._group.idClicked.connect(self._on_chosen)
        self._show_fields()

    def _field_row(self, number: int, option: SourceOption) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(20, 0, 0, 0)
        layout.setSpacing(4)
        field = QLineEdit()
        field.setPlaceholderText(option.placeholder)
        field.setAccessibleName(option.text)
        field.textChanged.connect(lambda _text: self._typing.start())
        layout.addWidget(field, 1)
        if option.browse:
            layout.addWidget(push_button("Browse…", lambda: self._browse(number)))
        self._fields[number], self._rows[number] = field, row
        return row

    @property
    def value(self) -> str:
        """The chosen value; empty while a field is empty."""
        number = self._group.checkedId()
        option = self._options[number]
        return option.value or self._fields[number].text().strip()

    def set_value(self, value: str) -> None:
        """Choose a value: a fixed option's, or one put into the first field that suits it."""
        fixed = [n for n, option in enumerate(self._options) if option.value == value]
        if fixed:
            number = fixed[0]
        else:
            number = self._field_for(value)
            self._fields[number].setText(value)
        self._group.button(number).setChecked(True)
        self._show_fields()
        self._tell()

    def _field_for(self, value: str) -> int:
        local = "/" in value[:2] or "\\" in value or value.startswith("~") or value.endswith("gguf")
        fields = list(self._fields)
        browsed = [n for n in fields if self._options[n].browse]
        typed = [n for n in fields if not self._options[n].browse]
        return (browsed if local or not typed else typed)[0]

    def _on_chosen(self, number: int) -> None:
        self._show_fields()
        if number in self._fields:
            self._fields[number].setFocus()
        self._tell()

    def _show_fields(self) -> None:
        for number, row in self._rows.items():
            row.setVisible(number == self._group.checkedId())

    def _browse(self, number: int) -> None:
        kind, start = self._options[number].browse, self._fields[number].text()
        if kind == "folder":
            path = QFileDialog.getExistingDirectory(self, self._options[number].text, start)
        else:
            path, _ = QFileDialog.getOpenFileName(self, self._options[number].text, start, kind)
        if path:
            self._fields[number].setText(path)
            self._typing.stop()
            self._tell()

    def _tell(self) -> None:
        self._typing.stop()
        if self.value != self._last:
            self._last = self.value
            self.changed.emit(self._last)
