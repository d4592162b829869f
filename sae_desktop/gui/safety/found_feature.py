"""A feature that a scan found: its figures, where it is strongest, what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.safety.scan_rows import parted
from sae_desktop.safety.scan.config import FoundFeature
from sae_desktop.words.scan_words import acts_sentence, feature_sentence

_NONE = "The methods proposed no feature for this set."


class FoundFeatureView(QWidget):
    """Shows a candidate."""

    openAsked = Signal()
    steerAsked = Signal()
    monitorAsked = Signal()
    growAsked = Signal(str)
    """A text to be added to a concept set."""

    def __init__(self) -> None:
        super().__init__()
        self.name = ElidedLabel()
        self.name.setProperty("role", "heading")
        self.figures = label("", wrap=True, selectable=True)
        self.acts = label("", "muted", wrap=True, selectable=True)
        self.texts = TokenTextView()
        self.texts.setAccessibleName("Where the feature is strongest")
        self.texts.textKept.connect(self.growAsked)
        self.open_button = push_button(
            "Open in Explore", self.openAsked.emit, icon="arrow-square-in",
            tip="Show the page of this feature (Return in the table)",
        )  # fmt: skip
        self.steer_button = push_button(
            "Steer", self.steerAsked.emit, icon="sliders-horizontal",
            tip="Put this feature in the rack of sliders",
        )  # fmt: skip
        self.monitor_button = push_button(
            "Make a monitor of it…", self.monitorAsked.emit, icon="bell-ringing",
            tip="Give it a threshold with a promised rate of false alarms",
        )  # fmt: skip
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.open_button, self.steer_button, self.monitor_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        inner = QWidget()
        inner.setProperty("ground", "surface")
        inner.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(inner)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.name)
        column.addLayout(buttons)
        for widget in (self.figures, self.acts, self.texts):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.show_feature(None, reachable="")

    def show_feature(self, row: FoundFeature | None, *, reachable: str) -> None:
        """Show a candidate; `reachable`: why its page cannot be opened, empty where it can."""
        for button in (self.open_button, self.steer_button, self.monitor_button):
            button.setVisible(row is not None)
            button.setEnabled(not reachable)
            if reachable:
                button.setToolTip(plain_tip(reachable))
        self.acts.setVisible(row is not None)
        self.texts.setVisible(row is not None)
        if row is None:
            self.name.setText("")
            self.figures.setText(_NONE)
            return
        self.name.setText(f"{row.feature}  {row.name}".rstrip())
        self.figures.setText(feature_sentence(row))
        self.acts.setText(f"{acts_sentence(row.effect)} {reachable}".rstrip())
        blocks: list[Heading | Passage] = []
        for title, lines in (
            ("Strongest in the index’s text", row.contexts),
            ("Strongest on the held-out texts of the set", row.texts),
        ):
            if lines:
                blocks.append(Heading(title))
                blocks += [_passage(line) for line in lines]
        self.texts.set_scale(ColourScale(1.0))
        self.texts.set_blocks(blocks)


def _passage(line: str) -> Passage:
    note, tokens, peak = parted(line)
    lit = [1.0 if place == peak else 0.0 for place in range(len(tokens))]
    return Passage(tokens, lit, peak, note)
