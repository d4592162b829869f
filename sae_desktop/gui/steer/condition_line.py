"""Under which condition a slider works, or a text ends, in words, and a button to change it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.steering.gate_config import Gate, gate_text

_NAME = 40
_BUTTON = 28


class ConditionLine(QWidget):
    """The condition with what its feature stands for; nothing of none."""

    def __init__(self, session: Session, edit: Callable[[], object]) -> None:
        super().__init__()
        self._notes = FeatureNotes.of(session)
        self._gate: Gate | None = None
        self.button = push_button("", edit, flat=True, icon="funnel", tip="Change the condition")
        self.button.setFixedWidth(_BUTTON)
        self.told = label("", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.told, 1, Qt.AlignmentFlag.AlignVCenter)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._notes.reloaded.connect(self._tell)
        self.set_gate(None)

    def set_gate(self, gate: Gate | None) -> None:
        """Show a condition; None: there is none, and nothing is shown."""
        self._gate = gate
        self.setVisible(gate is not None)
        self._tell()

    def _tell(self) -> None:
        gate = self._gate
        words = "" if gate is None else gate_text(gate)
        self.button.setAccessibleName(f"Condition: {words}")
        if gate is not None and gate.feature is not None and not (gate.index or gate.monitor):
            named = self._notes.named(gate.feature, _NAME)
            words += f" ({named})" if named else ""
        self.told.setText(words[:1].upper() + words[1:])

    def _on_note_changed(self, feature: int) -> None:
        if self._gate is not None and feature == self._gate.feature:
            self._tell()
