"""Texts of one's own: boxes that take them one a line or paragraph, or from a file."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.features.reading.text_lists import joined_texts, split_texts
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.text_box import TextBox
from sae_desktop.gui.state.session import Session

_LINES = 4


class OwnTexts(QWidget):
    """Two boxes of texts, one a line or paragraph; a file can be dropped on each."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.on, self.off = (
            lines_box(f"Texts {of} the concept", session) for of in ("of", "without")
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for title, box in (("Of the concept", self.on), ("Without it", self.off)):
            column = QVBoxLayout()
            column.addWidget(label(title, "small"))
            column.addWidget(box)
            row.addLayout(column, 1)
            box.textChanged.connect(self.changed)

    def texts(self) -> tuple[list[str], list[str]]:
        return split_texts(self.on.toPlainText()), split_texts(self.off.toPlainText())

    def fill(self, on: list[str], off: list[str]) -> None:
        self.on.setPlainText(joined_texts(on))
        self.off.setPlainText(joined_texts(off))


def lines_box(name: str, session: Session) -> TextBox:
    """Return a box for texts, one a line or paragraph, which a file can be dropped on."""
    box = TextBox()
    box.setAccessibleName(name)
    box.setPlaceholderText("One a line, or paragraphs; or drop a file")
    box.setTabChangesFocus(True)
    box.refused.connect(session.show_error)
    box.setFixedHeight(_LINES * box.fontMetrics().lineSpacing() + 12)
    return box
