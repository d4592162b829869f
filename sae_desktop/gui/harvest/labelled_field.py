"""A field under its name, with what is wrong with it beneath."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.described import default, setting
from sae_desktop.gui.parts.default_mark import MARK_SIZE, DefaultMark
from sae_desktop.gui.parts.labels import label, set_property
from sae_desktop.gui.parts.plain_text import plain_tip


class LabelledField(QWidget):
    """Name, field, and below them a problem when there is one; no name: the line stays empty."""

    def __init__(self, name: str, field: QWidget, tip: str, *, default: Any = None) -> None:
        """With a `default`, what differs from it is marked."""
        super().__init__()
        self.field = field
        self._tip = tip
        if name:
            field.setAccessibleName(name)
        field.setAccessibleDescription(tip)
        field.setToolTip(plain_tip(tip))
        self.problem = label("", "error", wrap=True)
        self.problem.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        title = label(name, "small")
        title.setMinimumHeight(MARK_SIZE)
        head.addWidget(title, 1)
        self.mark_of_default = None if default is None else DefaultMark(name, field, default)
        if self.mark_of_default is not None:
            head.addWidget(self.mark_of_default)
        column.addLayout(head)
        column.addWidget(field)
        column.addWidget(self.problem)
        column.addStretch(1)

    @classmethod
    def of(
        cls, config: type[msgspec.Struct], name: str, field: QWidget, *, marked: bool = True
    ) -> LabelledField:
        """Return a field for a setting of a config, in the words that stand beside it there.

        marked: whether what differs from the default is.
        """
        said = setting(config, name)
        usual = default(config, name) if marked else None
        return cls(said.title, field, said.description, default=usual)

    def show_problem(self, text: str) -> None:
        """Say beneath the field what is wrong; nothing: it is fine."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        self.mark(text)

    def mark(self, text: str) -> None:
        """Mark a field whose problem is told elsewhere; nothing: it is fine."""
        self.field.setAccessibleDescription(text or self._tip)
        set_property(self.field, "invalid", "true" if text else "false")
