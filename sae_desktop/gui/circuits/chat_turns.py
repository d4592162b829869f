"""A chat written turn by turn: who speaks, and what is said."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.features.config import ChatTurn
from sae_desktop.features.reading.chat_text import parse_chat, written_chat
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.text_box import PlainTextField

_ROLES = (("user", "User"), ("assistant", "Assistant"), ("system", "System"))
_MOST_LINES = 4
"""Of one turn that are seen at once."""
_MOST_ROWS = 3
"""Turns of one line that are seen at once; more are scrolled."""


class _Said(PlainTextField):
    """As high as its text, up to some lines; Return asks, Shift+Return is a new line."""

    asked = Signal()

    def __init__(self, line: int) -> None:
        """`line`: the height of one line, as that of other fields."""
        super().__init__()
        self._line = line
        self.setTabChangesFocus(True)
        self.setPlaceholderText("What is said")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(1)
        self.textChanged.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        lines = min(max(self.document().size().height(), 1), _MOST_LINES)
        self.setFixedHeight(self._line + round((lines - 1) * self.fontMetrics().lineSpacing()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.FontChange:
            self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain:
            self.asked.emit()
        else:
            super().keyPressEvent(event)


class _Turn(QWidget):
    """One turn, with what takes it away."""

    def __init__(self, role: str, said: str) -> None:
        super().__init__()
        self.role = QComboBox()
        for value, text in _ROLES:
            self.role.addItem(text, value)
        self.role.setCurrentIndex(max(self.role.findData(role), 0))
        self.said = _Said(self.role.sizeHint().height())
        self.said.setPlainText(said)
        self.remove = push_button("", lambda: None, icon="x", flat=True, tip="Take the turn away")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget, stretch in ((self.role, 0), (self.said, 1), (self.remove, 0)):
            row.addWidget(widget, stretch, Qt.AlignmentFlag.AlignTop)

    def number(self, number: int, *, alone: bool) -> None:
        """Tell those who listen which turn this is; the only one cannot be taken away."""
        self.role.setAccessibleName(f"Speaker of turn {number}")
        self.said.setAccessibleName(f"Turn {number}")
        self.remove.setAccessibleName(f"Take turn {number} away")
        self.remove.setEnabled(not alone)


class ChatTurns(QWidget):
    """The turns of a chat; after the last one the model answers."""

    changed = Signal()
    asked = Signal()
    """Return was pressed in a turn."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("circuits.turns")
        self.turns: list[_Turn] = []
        self._rows = QVBoxLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        self.add_button = push_button(
            "", self.add, icon="plus", flat=True,
            tip="Add a turn: what is said next. Return traces, Shift+Return starts a line",
        )  # fmt: skip
        self.add_button.setAccessibleName("Add a turn")
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self._rows)
        column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(inner)
        self._inner = inner
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        outer.addWidget(self._scroll, 1)
        outer.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignBottom)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_text("")

    def text(self) -> str:
        """Return the chat as text; empty where nothing is said."""
        return written_chat(
            ChatTurn(role=turn.role.currentData(), content=turn.said.toPlainText())
            for turn in self.turns
        )

    def set_text(self, text: str) -> None:
        """Show the turns of a chat that is written as text."""
        if self.turns and text == self.text():
            return
        for turn in self.turns:
            self._drop(turn)
        self.turns = []
        for said in parse_chat(text) or [ChatTurn(role="user", content="")]:
            self._add(said.role, said.content)
        self._on_changed()

    def add(self) -> None:
        """Add a turn of who speaks next, and put the keyboard there."""
        before = self.turns[-1].role.currentData()
        turn = self._add("assistant" if before == "user" else "user", "")
        self._on_changed()
        turn.said.setFocus()
        self._scroll.ensureWidgetVisible(turn)

    def _add(self, role: str, said: str) -> _Turn:
        turn = _Turn(role, said)
        turn.role.currentIndexChanged.connect(self._on_changed)
        turn.said.textChanged.connect(self._on_changed)
        turn.said.asked.connect(self.asked)
        turn.remove.clicked.connect(lambda: self._remove(turn))
        self.turns.append(turn)
        self._rows.addWidget(turn)
        return turn

    def _remove(self, turn: _Turn) -> None:
        place = self.turns.index(turn)
        self.turns.remove(turn)
        self._drop(turn)
        self.turns[min(place, len(self.turns) - 1)].said.setFocus()
        self._on_changed()

    def _drop(self, turn: _Turn) -> None:
        turn.hide()
        self._rows.removeWidget(turn)
        turn.deleteLater()

    def _on_changed(self, _value: object = None) -> None:
        for number, turn in enumerate(self.turns, 1):
            turn.number(number, alone=len(self.turns) == 1)
        self.updateGeometry()
        self.changed.emit()

    def setFocus(self, *args: object) -> None:
        """Put the keyboard into the last turn."""
        self.turns[-1].said.setFocus()

    def sizeHint(self) -> QSize:
        row = self.turns[0].role.sizeHint().height() + 4
        heights = [max(turn.said.height(), row - 4) + 4 for turn in self.turns]
        return QSize(self._inner.sizeHint().width(), min(sum(heights) - 4, _MOST_ROWS * row - 4))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()
