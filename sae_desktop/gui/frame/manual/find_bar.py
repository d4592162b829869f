"""Finds words on the page that is shown."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from sae_desktop.gui.frame.manual.page_view import PageView
from sae_desktop.gui.parts.labels import label, push_button


class FindBar(QWidget):
    """A field below the page; Return finds the next place, Shift+Return the one before."""

    def __init__(self, view: PageView) -> None:
        super().__init__()
        self._view = view
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find on this page")
        self.field.setAccessibleName("Find on this page")
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(lambda _text: self._find(from_start=True))
        self.field.installEventFilter(self)
        self.said = label("", "muted")
        self.before = push_button(
            "", lambda: self._find(back=True), icon="caret-up", flat=True,
            tip="The place before (Shift+Return)",
        )  # fmt: skip
        self.next = push_button(
            "", self._find, icon="caret-down", flat=True, tip="The next place (Return)"
        )
        self.close_button = push_button("", self.leave, icon="x", flat=True, tip="Close (Esc)")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.field, 1)
        for widget in (self.said, self.before, self.next, self.close_button):
            row.addWidget(widget)
        self.hide()

    def open(self) -> None:
        """Show it, with what is marked on the page."""
        marked = self._view.textCursor().selectedText()
        self.show()
        if marked and len(marked) < 60:
            self.field.setText(marked)
        self.field.selectAll()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def leave(self) -> None:
        self.hide()
        self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def find_next(self, *, back: bool = False) -> None:
        """Go to the next place; without words, ask for them."""
        if self.isHidden() or not self.field.text():
            self.open()
        else:
            self._find(back=back)

    def _find(self, *, back: bool = False, from_start: bool = False) -> None:
        found = self._view.find_words(self.field.text(), back=back, from_start=from_start)
        self.said.setText("" if found else "Not on this page")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is not QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._find(back=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            return super().eventFilter(watched, event)
        return True
