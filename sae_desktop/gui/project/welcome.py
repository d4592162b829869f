"""What is shown while no project is open: what ships to begin with, and the way to one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.demonstrations import Demonstration, offered
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.words.first_steps import WHAT_IT_DOES

_CARD_WIDTHS = (210, 340)
"""Least and most."""


class Welcome(QWidget):
    """Each demonstration with what it is, and below them the projects of one's own."""

    def __init__(self, trigger: Callable[[str], object]) -> None:
        """`trigger` does an action by its id."""
        super().__init__()
        self._trigger = trigger
        self.cards: dict[str, QFrame] = {}
        """By the id of the demonstration."""
        cards = QHBoxLayout()
        cards.setSpacing(16)
        cards.setContentsMargins(16, 0, 16, 0)
        cards.addStretch(1)
        for number, one in enumerate(offered()):
            self.cards[one.id] = self._card(one, primary=not number)
            cards.addWidget(self.cards[one.id], 1000)  # all there is, before the margins
        cards.addStretch(1)
        own = QHBoxLayout()
        own.setSpacing(8)
        own.addStretch(1)
        own.addWidget(self._button("New project…", "folder-plus", "project.new"))
        own.addWidget(self._button("Open project…", "folder-open", "project.open"))
        own.addStretch(1)
        middle = Qt.AlignmentFlag.AlignHCenter
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(label("SAE Desktop", "title"), 0, middle)
        column.addWidget(label(WHAT_IT_DOES), 0, middle)
        column.addSpacing(4)
        column.addLayout(cards)
        column.addSpacing(4)
        column.addWidget(label("Or begin with a project of your own.", "muted"), 0, middle)
        column.addLayout(own)
        column.addWidget(label("Whatever is on this machine works offline.", "small"), 0, middle)
        column.addStretch(3)

    def _card(self, one: Demonstration, *, primary: bool) -> QFrame:
        card = QFrame()
        card.setProperty("card", "true")
        card.setMinimumWidth(_CARD_WIDTHS[0])
        card.setMaximumWidth(_CARD_WIDTHS[1])
        column = QVBoxLayout(card)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addWidget(label(one.title, "heading"))
        column.addWidget(label(one.told, wrap=True))
        column.addStretch(1)
        text = f"Open {one.called}"
        column.addWidget(self._button(text, "sparkle", f"project.open_{one.id}", primary))
        return card

    def _button(self, text: str, icon: str, action: str, primary: bool = False) -> QWidget:
        return push_button(text, partial(self._trigger, action), icon=icon, primary=primary)
