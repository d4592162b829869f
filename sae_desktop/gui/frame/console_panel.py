"""Python on the open project, in a process of its own: what is run, what it prints, a history."""

from __future__ import annotations

import codeop
from collections import deque
from functools import partial
from typing import Literal

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import (
    QFontDatabase,
    QKeyEvent,
    QTextCharFormat,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.console_process import ConsoleProcess
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.text_box import PlainTextField
from sae_desktop.gui.state.session import Session
from sae_desktop.words.console_words import TO_TRY, bound_text

Role = Literal["text", "error", "muted_text"]
"""Of what is written: a colour of the palette."""
_MOST_LINES = 5_000
"""That are kept of what was printed."""
_MOST_HISTORY = 200
_INPUT_LINES = 3
_PROMPTS = (">>> ", "." * 3 + " ")
_TIP = "Return runs it, Shift+Return begins a new line, Up and Down bring back what was run before"


class _Input(PlainTextField):
    """Statements being typed."""

    entered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []
        self._at = 0
        """Which entry of the history is shown; its length: what is being typed."""
        self._typed = ""
        self.setAccessibleName("Python to run")
        self.setPlaceholderText("Python, such as project.indexes")
        self.setToolTip(plain_tip(_TIP))
        self.setTabChangesFocus(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        block = self.textCursor().blockNumber()
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not shifted:
            self._enter()
        elif event.key() == Qt.Key.Key_Up and block == 0 and self._at > 0:
            self._show(self._at - 1)
        elif (
            event.key() == Qt.Key.Key_Down
            and block == self.blockCount() - 1
            and self._at < len(self.history)
        ):
            self._show(self._at + 1)
        else:
            super().keyPressEvent(event)

    def _enter(self) -> None:
        text = self.toPlainText()
        if not text.strip():
            return
        if is_complete(text):
            self.entered.emit(text.rstrip())
        else:
            self.insertPlainText("\n" + _indent(text))

    def _show(self, number: int) -> None:
        if self._at == len(self.history):
            self._typed = self.toPlainText()
        self._at = number
        self.setPlainText(self.history[number] if number < len(self.history) else self._typed)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def remember(self, text: str) -> None:
        """Put what was run at the end of the history, and begin anew."""
        if self.history[-1:] != [text]:
            self.history = [*self.history, text][-_MOST_HISTORY:]
        self._at, self._typed = len(self.history), ""
        self.clear()


def is_complete(text: str) -> bool:
    """Whether Return runs a text: not in the middle of a statement, nor before a block’s end."""
    last = text.rsplit("\n", 1)[-1]
    if "\n" in text and last.strip() and last.startswith((" ", "\t")):
        return False  # a block ends with an empty line, as at a terminal
    try:
        return codeop.compile_command(text, "<console>", "exec") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True  # what is wrong with it is told where it is run


def _indent(text: str) -> str:
    """Return the white space that the next line begins with."""
    last = text.rsplit("\n", 1)[-1]
    found = last[: len(last) - len(last.lstrip())]
    if not last.strip():
        return ""
    return found + "    " if last.rstrip().endswith(":") else found


class ConsolePanel(QWidget):
    """Nothing runs until something is entered; another project ends the process."""

    def __init__(self, session: Session, command: list[str] | None = None) -> None:
        super().__init__()
        self._session = session
        self.process = ConsoleProcess(self, command)
        self.input = _Input()
        self.output = QPlainTextEdit(readOnly=True)
        self.output.setAccessibleName("What was printed")
        self.output.setMaximumBlockCount(_MOST_LINES)
        self.output.setWordWrapMode(QTextOption.WrapMode.WrapAnywhere)
        self._written: deque[tuple[str, Role]] = deque(maxlen=_MOST_LINES)
        self.state = label("", "small")
        self.stop_button = push_button(
            "Stop", self.process.stop, icon="stop", tip="Interrupt what is running"
        )
        self.again_button = push_button(
            "Start again", self._restart, tip="End its Python and forget all variables"
        )
        self.clear_button = push_button("Clear", self._clear, tip="Empty what was printed")
        self._build()
        self.input.entered.connect(self.run)
        self.process.printed.connect(self._print)
        self.process.readied.connect(self._on_ready)
        self.process.busyChanged.connect(lambda _busy: self._say())
        self.process.ended.connect(self._on_ended)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.process.end)
        session.projectChanged.connect(self._restart)
        theme.manager().themeChanged.connect(self._write_again)
        self._say()

    def _build(self) -> None:
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        for box in (self.input, self.output):
            box.setFont(fixed)
        self.input.setFixedHeight(self.input.fontMetrics().lineSpacing() * _INPUT_LINES + 16)
        self._first = QWidget()
        told = QVBoxLayout(self._first)
        told.setContentsMargins(12, 8, 12, 8)
        told.setSpacing(4)
        told.addWidget(label("Python on the open project. Try:", "muted"))
        for line, gives in TO_TRY:
            button = push_button(line, partial(self._try, line), flat=True, tip=gives)
            button.setFont(fixed)
            row = QHBoxLayout()
            row.addWidget(button)
            row.addWidget(label(gives, "small"))
            row.addStretch(1)
            told.addLayout(row)
        told.addStretch(1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._first)
        self._stack.addWidget(self.output)
        between = QHBoxLayout()
        between.setSpacing(8)
        between.addWidget(self.state, 1)
        for button in (self.stop_button, self.again_button, self.clear_button):
            between.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addWidget(self._stack, 1)
        column.addLayout(between)
        column.addWidget(self.input)
        self.setFocusProxy(self.input)
        self.setMinimumHeight(180)

    # ------------------------------------------------------------------ running
    def run(self, source: str) -> None:
        """Run statements, unless others still run or no project is open."""
        if self.process.busy or self._session.project is None:
            return
        self._stack.setCurrentWidget(self.output)
        lines = source.split("\n")
        prompts = [_PROMPTS[number > 0] for number in range(len(lines))]
        said = "".join(f"{p}{line}\n" for p, line in zip(prompts, lines, strict=True))
        self._write(said, "muted_text")
        self.input.remember(source)
        self.process.run(source, self._session.project_path, self._session.index_name)

    def _try(self, line: str) -> None:
        self.input.setPlainText(line)
        self.input.moveCursor(QTextCursor.MoveOperation.End)
        self.input.setFocus()

    def _restart(self) -> None:
        self.process.end()
        self._say()

    def _clear(self) -> None:
        self._written.clear()
        self.output.clear()
        self._stack.setCurrentWidget(self._first)
        self._say()

    def _on_ready(self, index: str) -> None:
        self._write(bound_text(self._session.project_path, index) + "\n", "muted_text")

    def _on_ended(self, why: str) -> None:
        told = f"{why}\n" if why else ""
        self._write(f"{told}The console’s Python has ended; its variables are gone.\n", "error")
        self._say()

    # ------------------------------------------------------------------ showing
    def _print(self, text: str, error: bool) -> None:
        self._write(text, "error" if error else "text")

    def _write_again(self) -> None:
        """Write in the colours of another theme."""
        self.output.clear()
        for text, role in self._written:
            self._put(text, role)

    def _write(self, text: str, role: Role = "text") -> None:
        self._written.append((text, role))
        self._put(text, role)

    def _put(self, text: str, role: Role) -> None:
        look = QTextCharFormat()
        look.setForeground(getattr(theme.palette(), role))
        bar = self.output.verticalScrollBar()
        followed = bar.value() >= bar.maximum() - 1
        cursor = QTextCursor(self.output.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, look)
        if followed:
            bar.setValue(bar.maximum())

    def _say(self) -> None:
        busy, here = self.process.busy, self._session.project is not None
        self.stop_button.setEnabled(busy)
        self.input.setEnabled(here)
        for button in self._first.findChildren(QWidget):
            button.setEnabled(here)
        self.state.setText(
            "Running…" if busy else "" if here else "Open a project to run Python on it."
        )
        self.again_button.setEnabled(self.process.runs)
        self.clear_button.setEnabled(bool(self._written))
