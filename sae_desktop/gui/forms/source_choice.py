"""A choice between what ships and what one names oneself: a file, a folder, a name on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.exchange.recognise import dialog_filter, endings_of
from sae_desktop.file_kinds import FileKind
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.text_box import PathField

_TYPING_MS = 500


@dataclass(frozen=True)
class SourceOption:
    """A fixed value, or one that is typed or browsed for."""

    text: str
    value: str = ""
    """Of a fixed option; empty for one with a field."""
    browse: FileKind | Literal["folder", ""] = ""
    """What is browsed for: a folder, or files of a kind, whose endings belong to this option and to
    no other; empty: nothing."""
    placeholder: str = ""


class SourceChoice(QWidget):
    """A list of options; the field of the chosen one appears below it."""

    changed = Signal(str)
    """The value, once typing has stopped for a moment."""
    optionChanged = Signal()
    """Another option was chosen, whether it has a value yet or not."""

    def __init__(self, name: str, options: list[SourceOption]) -> None:
        super().__init__()
        self._options = options
        self._fields: dict[int, QLineEdit] = {}
        self._rows: dict[int, QWidget] = {}
        self._last = ""
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._tell)
        self.kind = ElidedComboBox()
        self.kind.setAccessibleName(name)
        explain(self.kind, name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.kind)
        for number, option in enumerate(options):
            self.kind.addItem(option.text)
            if not option.value:
                column.addWidget(self._field_row(number, option))
        self.setFocusProxy(self.kind)
        self.kind.activated.connect(self._on_chosen)
        self.kind.currentIndexChanged.connect(self._show_fields)
        self._show_fields()
        self._last = self.value

    def _field_row(self, number: int, option: SourceOption) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        field = PathField() if option.browse else QLineEdit()
        field.setPlaceholderText(option.placeholder)
        field.setAccessibleName(option.text)
        field.textChanged.connect(lambda text: self._on_typed(field, text))
        layout.addWidget(field, 1)
        if option.browse:
            layout.addWidget(push_button("Browse…", lambda: self._browse(number)))
        self._fields[number], self._rows[number] = field, row
        return row

    def _on_typed(self, field: QLineEdit, text: str) -> None:
        field.setToolTip(plain_tip(text))
        self._typing.start()

    @property
    def option(self) -> SourceOption:
        """The chosen option."""
        return self._options[self.kind.currentIndex()]

    @property
    def value(self) -> str:
        """The chosen value; empty while a field is empty."""
        number = self.kind.currentIndex()
        return self._options[number].value or self._fields[number].text().strip()

    def set_value(self, value: str) -> None:
        """Choose a value: a fixed option's, or one put into the field that suits it."""
        fixed = [n for n, option in enumerate(self._options) if option.value == value]
        if fixed:
            number = fixed[0]
        else:
            number = self._field_for(value)
            self._fields[number].setText(value)
        self.kind.setCurrentIndex(number)
        self._tell()

    def set_option(self, option: SourceOption, value: str) -> None:
        """Choose an option that has a field, and put a value into that."""
        number = self._options.index(option)
        self._fields[number].setText(value)
        self.kind.setCurrentIndex(number)
        self._tell()

    def _field_for(self, value: str) -> int:
        local = value.startswith(("/", ".", "~")) or "\\" in value or value[1:2] == ":"
        name = value.rstrip("/").lower()
        for number in self._fields:
            kind = self._options[number].browse
            if kind == "" or kind == "folder":
                continue
            if name.endswith(endings_of(kind)):
                return number
        browsed = [n for n in self._fields if self._options[n].browse == "folder"]
        typed = [n for n in self._fields if not self._options[n].browse]
        return (browsed if local or not typed else typed)[0]

    def _on_chosen(self, number: int) -> None:
        if number in self._fields:
            self._fields[number].setFocus()
        self._tell()

    def _show_fields(self, _number: int = 0) -> None:
        for number, row in self._rows.items():
            row.setVisible(number == self.kind.currentIndex())
        self.optionChanged.emit()

    def _browse(self, number: int) -> None:
        kind, start = self._options[number].browse, self._fields[number].text()
        if kind == "folder":
            path = QFileDialog.getExistingDirectory(self, self._options[number].text, start)
        else:
            told, files = self._options[number].text, dialog_filter(kind) if kind else ""
            path, _ = QFileDialog.getOpenFileName(self, told, start, files)
        if path:
            self._fields[number].setText(path)
            self._typing.stop()
            self._tell()

    def _tell(self) -> None:
        self._typing.stop()
        if self.value != self._last:
            self._last = self.value
            self.changed.emit(self._last)
