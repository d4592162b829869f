"""How a place of Circuits is laid out that is asked something and shows an answer."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLayout, QStackedWidget, QVBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label, line


def lay_out(place: QWidget, fields: QLayout, first: str, answer: QWidget) -> QStackedWidget:
    """Put the fields of a question above its answer, and return the stack of what is beneath.

    Its first page says in the words `first` what can be asked, its second is the `answer`.
    """
    told = label(first, "muted", wrap=True)
    told.setAlignment(Qt.AlignmentFlag.AlignCenter)
    told.setContentsMargins(48, 24, 48, 24)
    stack = QStackedWidget()
    stack.addWidget(told)
    stack.addWidget(answer)
    whole = QVBoxLayout(place)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.setSpacing(0)
    whole.addLayout(fields)
    whole.addWidget(line())
    whole.addWidget(stack, 1)
    return stack
