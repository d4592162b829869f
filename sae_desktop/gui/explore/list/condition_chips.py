"""The conditions of a filter as chips, each with a way to take it off."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QToolButton, QWidget
from superqt import QFlowLayout

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plain_text import plain_tip

_LONGEST = 40


class ConditionChips(QWidget):
    """One button a condition; pressing it takes the condition away."""

    removed = Signal(int)
    """Place of the condition that was taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._flow = QFlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(4)
        self._flow.setVerticalSpacing(4)
        self._chips: list[QToolButton] = []
        self.hide()

    def set_texts(self, texts: Sequence[str]) -> None:
        """Show these conditions."""
        while len(self._chips) > len(texts):
            chip = self._chips.pop()
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        while len(self._chips) < len(texts):
            self._chips.append(self._chip(len(self._chips)))
        for chip, text in zip(self._chips, texts, strict=True):
            chip.setText(_shortened(text))
            chip.setToolTip(plain_tip(f"{text}\nPress to remove this condition."))
            chip.setAccessibleName(f"Condition {text}; press to remove it")
        self.setVisible(bool(texts))

    def _chip(self, number: int) -> QToolButton:
        chip = QToolButton(self)
        chip.setProperty("chip", "true")
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the × behind the words
        chip.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        icons.set_icon(chip, "x")
        chip.clicked.connect(lambda: self.removed.emit(number))
        self._flow.addWidget(chip)
        return chip


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[: half - 1]}…{text[-half:]}"
