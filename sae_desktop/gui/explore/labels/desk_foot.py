"""The foot of the reading desk: the label one types, its rating and tags, and what to press."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.bound_line import BoundLine
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.project_labels import MOST_STARS

HINT_HIDDEN = "E types a name of your own; then the proposed ones are shown, to compare."
HINT = "1 to 9 agrees with a name, E types your own, N goes to the next, ? shows all keys."
_TAGS_WIDTH = 168


class LeftByEsc(BoundLine):
    """A line that Esc leaves as it was."""

    left = Signal()
    """Esc was pressed."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setModified(False)
            self.left.emit()
        else:
            super().keyPressEvent(event)


class DeskFoot(QWidget):
    """The label field and the buttons; below, what was done last, the rating and the tags."""

    rejected = Signal()
    back = Signal()
    next = Signal()
    rated = Signal()
    """One star more."""

    def __init__(self) -> None:
        super().__init__()
        self.label = LeftByEsc()
        self.label.setPlaceholderText("Type a label of your own (E)")
        self.label.setAccessibleName("Label of the feature")
        self.label.setToolTip("Return saves it and shows the next feature; Esc leaves it")
        self.label.setMaxLength(200)
        self.tags = LeftByEsc()
        self.tags.setPlaceholderText("Tags (T)")
        self.tags.setAccessibleName("Tags of the feature")
        self.tags.setToolTip("Words to find features of a kind by, with commas between them (T)")
        self.tags.setMaxLength(400)
        self.tags.setFixedWidth(_TAGS_WIDTH)
        self._said, self._hint = "", HINT
        self.said = ElidedLabel(HINT)
        self.said.setProperty("role", "small")
        self.stars = push_button("", self.rated.emit, flat=True)
        room = self.stars.sizePolicy()
        room.setRetainSizeWhenHidden(True)  # nothing moves once there is a label to rate
        self.stars.setSizePolicy(room)
        self.reject_button = push_button(
            "Reject",
            self.rejected.emit,
            icon="x",
            tip="Mark the first of the names as wrong: no digit chooses it any more (X)",
        )
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
        top, below = QHBoxLayout(), QHBoxLayout()
        for row in (top, below):
            row.setSpacing(8)
        top.addWidget(self.label, 1)
        for button in (self.reject_button, self.back_button, self.next_button):
            top.addWidget(button)
        below.addWidget(self.said, 1)
        below.addWidget(self.stars)
        below.addWidget(self.tags)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(below)
        self.show_rating(0, shown=False)

    def edit_label(self, text: str) -> None:
        """Put the keyboard on the label; an empty one begins with a text."""
        self.label.setFocus(Qt.FocusReason.ShortcutFocusReason)
        if not self.label.text():
            self.label.setText(text[: self.label.maxLength()])
        self.label.selectAll()

    def edit_tags(self) -> None:
        """Put the keyboard on the tags."""
        self.tags.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.tags.selectAll()

    def commit(self) -> None:
        """Save what is being typed."""
        self.label.commit()
        self.tags.commit()

    def say(self, text: str) -> None:
        """Say what was done last; without a text, what one can do."""
        self._said = text
        self.said.setText(text or self._hint)

    def show_hint(self, *, hidden: bool) -> None:
        """Have the keys told that do something, where nothing else is said."""
        self._hint = HINT_HIDDEN if hidden else HINT
        self.say(self._said)

    def show_rating(self, rating: int, *, shown: bool) -> None:
        """Show how well the shown label fits, where there is one."""
        self.stars.setVisible(shown)
        self.stars.setText("★" * rating + "☆" * (MOST_STARS - rating))
        told = f"Rated {rating} of {MOST_STARS}" if rating else "Not rated"
        self.stars.setAccessibleName(f"{told}: how well the label fits")
        self.stars.setToolTip(plain_tip(f"{told}: how well the label fits. R adds a star."))
