"""Under which condition a slider works, or a text ends, in words that can be pressed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import ICON_SIZE
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.steering.gate_config import Gate, gate_text

_LEAST = 72


class _ElidedButton(QPushButton):
    """A flat button whose words are elided in their middle where there is no room for them."""

    def __init__(self, pressed: Callable[[], object]) -> None:
        super().__init__()
        self.words = ""
        self.setProperty("flat", "true")
        self.setAutoDefault(False)
        icons.set_icon(self, "funnel")
        self.setIconSize(ICON_SIZE)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.clicked.connect(lambda _checked=False: pressed())

    def set_words(self, words: str) -> None:
        self.words = words
        self._fit()
        self.updateGeometry()

    def _around(self) -> int:
        """Return the width of all but the words."""
        return int(super().sizeHint().width()) - self.fontMetrics().horizontalAdvance(self.text())

    def sizeHint(self) -> QSize:
        width = self._around() + self.fontMetrics().horizontalAdvance(self.words)
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room = self.width() - self._around()
        middle = Qt.TextElideMode.ElideMiddle
        self.setText(self.fontMetrics().elidedText(self.words, middle, max(room, 0)))


class ConditionLine(QWidget):
    """A button with the condition, and beside it what its feature stands for; nothing of none."""

    def __init__(self, session: Session, edit: Callable[[], object]) -> None:
        super().__init__()
        self._notes = FeatureNotes.of(session)
        self._gate: Gate | None = None
        self.button = _ElidedButton(edit)
        self.named = ElidedLabel(chars=4)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.button, 3)
        row.addWidget(self.named, 1, Qt.AlignmentFlag.AlignVCenter)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._notes.reloaded.connect(self._name)
        self.set_gate(None)

    def set_gate(self, gate: Gate | None) -> None:
        """Show a condition; None: there is none, and nothing is shown."""
        self._gate = gate
        told = "" if gate is None else gate_text(gate)
        self.button.set_words(told)
        self.button.setAccessibleName(f"Condition: {told}")
        self.button.setToolTip(plain_tip(f"{told[:1].upper()}{told[1:]}\nPress to change it"))
        self.setVisible(gate is not None)
        self._name()

    def _name(self) -> None:
        gate = self._gate
        feature = None if gate is None or gate.index or gate.monitor else gate.feature
        if feature is None:
            self.named.name_feature("", None)
        else:
            self.named.name_feature(self._notes.label(feature), self._notes.words(feature))

    def _on_note_changed(self, feature: int) -> None:
        if self._gate is not None and feature == self._gate.feature:
            self._name()
