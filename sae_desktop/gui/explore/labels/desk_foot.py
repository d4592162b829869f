"""The foot of the reading desk: the label one types, and what one can do beside it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.bound_line import BoundLine
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import push_button

HINT = "1 to 9 agrees with a name, E types your own, N goes to the next, ? shows all keys."


class LabelLine(BoundLine):
    """Where the label is typed; Esc leaves what there was."""

    left = Signal()
    """Esc was pressed."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setModified(False)
            self.left.emit()
        else:
            super().keyPressEvent(event)


class DeskFoot(QWidget):
    """The label field, two buttons, and what was done last."""

    back = Signal()
    next = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.label = LabelLine()
        self.label.setPlaceholderText("Type a label of your own (E)")
        self.label.setAccessibleName("Label of the feature")
        self.label.setToolTip("Return saves it and shows the next feature; Esc leaves it")
        self.label.setMaxLength(200)
        self.said = ElidedLabel(HINT)
        self.said.setProperty("role", "small")
        self.back_button = push_button(
            "Back", self.back.emit, icon="arrow-left", tip="Show the feature before (P)"
        )
        self.next_button = push_button(
            "Next",
            self.next.emit,
            icon="arrow-right",
            primary=True,
            tip="Show the next feature; a label that is being typed is saved (N)",
        )
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        for button in (self.back_button, self.next_button):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.said)

    def say(self, text: str) -> None:
        """Say what was done last; without a text, what one can do."""
        self.said.setText(text or HINT)
