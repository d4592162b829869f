"""Cards of what a project holds, in a column for each kind."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import IconLabel, label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain, explain_text
from sae_desktop.gui.project.project_cards import ACTIONS, Card

ICONS = {
    "model": "brain",
    "store": "database",
    "dictionary": "book-open",
    "sweep": "grid-four",
    "set": "stack",
    "index": "list-numbers",
    "lens": "eye",
    "scan": "target",
    "benchmark": "ruler",
    "concept set": "list-bullets",
    "comparison": "git-diff",
    "watch": "eye",
}
_LEAST_WIDTH = 256
_MOST_WIDTH = 440
_SPACING = 12


class CardWidget(QFrame):
    """One card: title, figures, and a button for what one does with it first."""

    def __init__(
        self, card: Card, run: Callable[[Card, str], object], allowed: Callable[[str], bool]
    ) -> None:
        super().__init__()
        self.card = card
        self._run = run
        self._allowed = allowed
        self.setProperty("card", "true")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"{card.kind} {card.title}")
        self.setAccessibleDescription(", ".join(f"{what} {value}" for what, value in card.figures))
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(4)
        column.addLayout(self._title_row())
        column.addSpacing(4)
        column.addLayout(self._figures())
        if card.warning:
            column.addWidget(label(card.warning, "warning", wrap=True))
        column.addStretch(1)
        column.addLayout(self._foot())

    def _title_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(IconLabel(ICONS[self.card.kind], "muted_text"))
        title = ElidedLabel(self.card.title)
        title.setProperty("role", "heading")
        row.addWidget(title, 1)
        more = QToolButton()
        icons.set_icon(more, "dots-three-vertical", "muted_text")
        more.setProperty("flat", "true")
        more.setAccessibleName(f"More for {self.card.title}")
        more.setToolTip("More (menu key)")
        more.clicked.connect(lambda: self.menu().exec(more.mapToGlobal(more.rect().bottomLeft())))
        row.addWidget(more)
        return row

    def _figures(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        for row, (what, value) in enumerate(self.card.figures):
            grid.addWidget(label(what, "muted"), row, 0)
            text = ElidedLabel(value)
            explain(text, what)
            explain_text(text)
            if tip := dict(self.card.tips).get(what):
                text.setToolTip(plain_tip(tip))
            text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(text, row, 1)
        return grid

    def _foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(label(self.card.footer, "small", wrap=True), 1)
        first = self.card.actions[0]
        button = push_button(ACTIONS[first], lambda: self._run(self.card, first))
        button.setEnabled(self._allowed(first))
        if not button.isEnabled():
            button.setToolTip("The project is read-only.")
        row.addWidget(button)
        return row

    def menu(self) -> QMenu:
        """Return the menu of all that can be done with what the card shows."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for key in self.card.actions:
            if key == "reveal":
                menu.addSeparator()
            action = menu.addAction(ACTIONS[key])
            action.setEnabled(self._allowed(key))
            action.triggered.connect(lambda _checked=False, key=key: self._run(self.card, key))
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._run_first()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._run_first()
        else:
            super().keyPressEvent(event)

    def _run_first(self) -> None:
        if self._allowed(self.card.actions[0]):
            self._run(self.card, self.card.actions[0])


class SectionColumns(QWidget):
    """Sections beside one another, in the order of the work; each a heading over its cards."""

    def __init__(self, sections: list[tuple[str, list[CardWidget]]]) -> None:
        super().__init__()
        self.cards = [card for _, cards in sections for card in cards]
        self._sections = [self._section(heading, cards) for heading, cards in sections]
        self.setMaximumWidth(len(sections) * (_MOST_WIDTH + _SPACING))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(_SPACING)
        self._grid.setVerticalSpacing(24)
        self._lay_out(len(self._sections))

    @staticmethod
    def _section(heading: str, cards: list[CardWidget]) -> QWidget:
        section = QWidget()
        column = QVBoxLayout(section)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(_SPACING)
        column.addWidget(label(heading, "heading"))
        for card in cards:
            column.addWidget(card)
        column.addStretch(1)
        return section

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        fitting = (self.width() + _SPACING) // (_LEAST_WIDTH + _SPACING)
        self._lay_out(min(max(fitting, 1), len(self._sections)))

    def _lay_out(self, columns: int) -> None:
        if columns == self._columns:
            return
        for column in range(max(columns, self._columns) + 1):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        self._columns = columns
        for number, section in enumerate(self._sections):
            self._grid.addWidget(section, number // columns, number % columns)
