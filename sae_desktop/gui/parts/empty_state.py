"""What a panel shows while it has nothing to show: one sentence and one button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label, push_button


class EmptyState(QWidget):
    """A sentence in the middle with the one thing to do beneath."""

    def __init__(
        self, sentence: str, button: str, callback: Callable[[], object], *, icon: str = ""
    ) -> None:
        super().__init__()
        self.sentence = label(sentence, "muted", wrap=True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setMaximumWidth(440)
        self.button = push_button(button, callback, icon=icon, primary=True)
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(2)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.sentence, 100)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column = column
        column.addStretch(3)

    def add_second(self, button: str, callback: Callable[[], object], *, icon: str = "") -> None:
        """Offer something else that can be done here, less loudly."""
        second = push_button(button, callback, icon=icon, flat=True)
        self._column.insertWidget(3, second, 0, Qt.AlignmentFlag.AlignHCenter)
