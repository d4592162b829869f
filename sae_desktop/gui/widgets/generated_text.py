"""A continuation as it comes, token by token, after its prompt."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from sae_desktop.gui import theme
from sae_desktop.gui.widgets.labels import label, push_button

HEADING_HEIGHT = 30
"""Of the line above a text, so that texts side by side begin level."""


class GeneratedText(QWidget):
    """A heading, a button that copies, and the text: the prompt quiet, the rest plain."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._prompt = ""
        self._continuation = ""
        self.view = QPlainTextEdit()
        self.view.setReadOnly(True)
        self.view.setTabChangesFocus(True)
        self.view.setAccessibleName(f"{title} text")
        self.copy_button = push_button(
            "", self.copy, icon="copy", flat=True, tip=f"Copy the {title.lower()} text"
        )
        self.copy_button.setEnabled(False)
        self.copy_button.setFixedHeight(HEADING_HEIGHT)
        top = QHBoxLayout()
        top.addWidget(label(title, "heading"))
        top.addStretch()
        top.addWidget(self.copy_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.view, 1)
        theme.manager().themeChanged.connect(self._show_all)

    @property
    def continuation(self) -> str:
        """What came after the prompt."""
        return self._continuation

    def begin(self, prompt: str) -> None:
        """Start anew after a prompt."""
        self._prompt, self._continuation = prompt, ""
        self._show_all()

    def add(self, text: str) -> None:
        """Add a piece of the continuation; the view follows if it stood at the end."""
        self._continuation += text
        bar = self.view.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 4
        self._insert(text, quiet=False)
        if at_end:
            bar.setValue(bar.maximum())
        self.copy_button.setEnabled(bool(self._prompt or self._continuation))

    def set_continuation(self, text: str) -> None:
        """Show the whole continuation, if it is not what is shown already."""
        if text != self._continuation:
            self._continuation = text
            self._show_all()

    def copy(self) -> None:
        """Put prompt and continuation on the clipboard."""
        QGuiApplication.clipboard().setText(self._prompt + self._continuation)

    def _show_all(self) -> None:
        self.view.clear()
        self._insert(self._prompt, quiet=True)
        self._insert(self._continuation, quiet=False)
        self.copy_button.setEnabled(bool(self._prompt or self._continuation))

    def _insert(self, text: str, *, quiet: bool) -> None:
        colours = theme.palette()
        style = QTextCharFormat()
        style.setForeground(colours.muted_text if quiet else colours.text)
        cursor = QTextCursor(self.view.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, style)
