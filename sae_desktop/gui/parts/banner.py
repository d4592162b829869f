"""A quiet strip above what it is of: a project is read-only, the engine ended."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from sae_desktop.gui.parts.labels import IconLabel, label


class Banner(QFrame):
    """An icon, a sentence or two, and buttons. Hidden until it has something to say."""

    def __init__(self, icon: str, buttons: list[QPushButton]) -> None:
        super().__init__()
        self.setProperty("banner", "true")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(12)
        layout.addWidget(IconLabel(icon, "warning"), 0, Qt.AlignmentFlag.AlignTop)
        self._text = label("", wrap=True, selectable=True)
        layout.addWidget(self._text, 1)
        for button in buttons:
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.hide()

    @property
    def text(self) -> str:
        return self._text.text()

    def say(self, text: str) -> None:
        self._text.setText(text)
        self.setAccessibleName(text)
        self.show()
