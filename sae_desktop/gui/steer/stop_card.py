"""A card of the rack that ends the text where a condition is met."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QVBoxLayout

from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.condition_line import ConditionLine
from sae_desktop.gui.steer.rack import RackEntry
from sae_desktop.steering.gate_config import gate_text

_BUTTON = 28


class StopCard(QFrame):
    """Switch, the condition in words, and a button that removes it.

    The signals begin with the key of the entry.
    """

    switched = Signal(object, bool)
    removeChosen = Signal(object)
    conditionAsked = Signal(object)

    def __init__(self, session: Session, entry: RackEntry) -> None:
        super().__init__()
        self.key = entry.key
        self.setProperty("card", "true")
        self.check = QCheckBox()
        self.check.setToolTip("Switch it on or off")
        self.name = label("Stop the text", "heading")
        self.remove = push_button(
            "",
            lambda: self.removeChosen.emit(self.key),
            icon="x",
            flat=True,
            tip="Remove this card",
        )
        self.remove.setFixedWidth(_BUTTON)
        self.condition = ConditionLine(session, lambda: self.conditionAsked.emit(self.key))
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.check)
        top.addWidget(self.name, 1)
        top.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 8, 8)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.condition)
        self.check.toggled.connect(lambda on: self.switched.emit(self.key, on))
        self.set_entry(entry)

    def set_entry(self, entry: RackEntry) -> None:
        """Show a state without announcing it."""
        assert entry.stop is not None
        with QSignalBlocker(self.check):
            self.check.setChecked(entry.on)
        told = f"stop the text {gate_text(entry.stop)}"
        self.check.setAccessibleName(f"Stop the text: {gate_text(entry.stop)}")
        self.remove.setAccessibleName(f"Remove: {told}")
        self.condition.set_gate(entry.stop)
        self.setAccessibleName(told[0].upper() + told[1:])
        self.setAccessibleDescription("on" if entry.on else "off")
        set_property(self.name, "role", "heading" if entry.on else "muted")
