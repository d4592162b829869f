"""The card of the first steps: three moves with their ticks, what to do now, and the way on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.first_steps import FirstStep, StepId


class FirstStepsCard(QFrame):
    """Says where one is. It decides nothing: `FirstSteps` tells it what to show.

    It is empty until then: most projects never show it, and its icons take time to draw.
    """

    stepChosen = Signal(str)
    nextChosen = Signal()
    dismissed = Signal()
    tourChosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("frame.first_steps")
        self.setProperty("banner", "true")
        self.setAccessibleName("First steps")
        self.chips: dict[StepId, QToolButton] = {}
        self._offers_tour = False
        self.hide()

    def _build(self) -> None:
        self.text = label("", wrap=True)
        self.next_button = push_button("", self.nextChosen.emit, icon="arrow-right")
        # The same height whatever is said: what lies below must not jump.
        two_lines = 2 * self.text.fontMetrics().lineSpacing() + 4
        self.text.setMinimumHeight(max(two_lines, self.next_button.sizeHint().height()))
        self.hide_button = push_button(
            "",
            self.dismissed.emit,
            icon="x",
            flat=True,
            tip="Hide the first steps; Help › Show the first steps brings them back",
        )
        self.tour_button = push_button(
            "Take the tour",
            self.tourChosen.emit,
            icon="compass",
            flat=True,
            tip="See where things are in the window; Help › Tour has it, too",
        )
        self.tour_button.setVisible(self._offers_tour)
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(label("First steps", "heading"))
        top.addSpacing(8)
        for id_ in get_args(StepId):
            top.addWidget(self._chip(id_))
        top.addStretch(1)
        top.addWidget(self.tour_button)
        top.addWidget(self.hide_button)
        below = QHBoxLayout()
        below.setSpacing(16)
        below.addWidget(self.text, 1)
        below.addWidget(self.next_button, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(below)

    def _chip(self, id_: StepId) -> QToolButton:
        chip = QToolButton()
        chip.setCheckable(True)
        chip.setProperty("flat", "true")
        chip.setProperty("step", "true")
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        chip.clicked.connect(lambda _checked=False: self.stepChosen.emit(id_))
        self.chips[id_] = chip
        return chip

    def offer_tour(self, offered: bool) -> None:
        """Have a button for the tour of the window, until it was taken."""
        self._offers_tour = offered
        if self.chips:
            self.tour_button.setVisible(offered)

    def show_steps(
        self, steps: Sequence[FirstStep], current: StepId | None, done: set[StepId]
    ) -> None:
        """Mark the step one is at, None at the end, and tick those that are done."""
        if not self.chips:
            self._build()
        for step in steps:
            id_, chip = step.id, self.chips[step.id]
            chip.setText(step.title)
            chip.setChecked(id_ == current)
            icons.set_icon(chip, "check-circle" if id_ in done else "circle")
            state = "done" if id_ in done else "to do"
            chip.setAccessibleName(f"{chip.text()}, {state}")
            chip.setToolTip(plain_tip(f"Go to this step ({state})"))

    def say(self, text: str, button: str) -> None:
        """Show what to do or what was learnt, and where the button leads; empty: nowhere yet."""
        self.text.setText(text)
        self.setAccessibleDescription(text)
        self.next_button.setText(button)
        self.next_button.setAccessibleName(button)
        self.next_button.setVisible(bool(button))
