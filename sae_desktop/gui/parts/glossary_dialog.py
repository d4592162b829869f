"""The glossary beside the window: a search, the terms, and what is told of one."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, QUrl
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.words.glossary import find, search
from sae_desktop.words.terms.entry import Entry

_SIZE = (760, 480)
_LIST_WIDTH = 232
_LINK = "term:"
_MOVES = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp)


class GlossaryDialog(QDialog):
    """Stays open beside the window; typing searches, arrows walk the terms, Esc closes."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Glossary")
        self.setModal(False)
        self._been: list[Entry] = []
        """What was shown before, for the way back."""
        self._shown: Entry | None = None
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search the terms")
        self.field.setAccessibleName("Search the glossary")
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._on_typed)
        self.field.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName("Terms")
        self.list.setMinimumWidth(160)
        self.list.setSpacing(2)
        self.list.currentItemChanged.connect(self._on_chosen)
        self.nothing = label("", "muted", wrap=True)
        self.nothing.hide()
        self.text = QTextBrowser()
        self.text.setAccessibleName("What the term means")
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._on_link)
        self.back = push_button(
            "Back", self.go_back, icon="arrow-left", flat=True, tip="The term before (Alt+Left)"
        )
        self.close_button = push_button("Close", self.reject)
        self._lay_out()
        set_default_button(self, self.close_button)
        self.resize(*_SIZE)
        theme.manager().themeChanged.connect(self._tell)

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(self.list, 1)
        column.addWidget(self.nothing, 1, Qt.AlignmentFlag.AlignTop)
        split = QSplitter()
        split.addWidget(left)
        split.addWidget(self.text)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST_WIDTH, _SIZE[0] - _LIST_WIDTH])
        split.setStretchFactor(1, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setSpacing(8)
        whole.addWidget(split, 1)
        whole.addLayout(buttons)

    def show_terms(self, found: Sequence[Entry]) -> None:
        """Open at the first of some entries; without any, at what was shown last."""
        self.field.clear()
        self._fill(search(""))
        if found:
            self._go_to(found[0])
        elif self.list.currentRow() < 0:
            self._go_to(self._shown or search("")[0])
        self.show()
        self.raise_()
        self.activateWindow()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------------ list
    def _on_typed(self, text: str) -> None:
        found = search(text)
        self._fill(found)
        if text.strip() and found:
            self.list.setCurrentRow(0)
        elif self._shown in found:
            self.list.setCurrentRow(found.index(self._shown))

    def _fill(self, found: Sequence[Entry]) -> None:
        with QSignalBlocker(self.list):  # nobody has chosen what Qt marks meanwhile
            self.list.clear()
            for entry in found:
                item = QListWidgetItem(entry.term)
                item.setData(Qt.ItemDataRole.UserRole, entry.term)
                self.list.addItem(item)
            self.list.setCurrentRow(-1)
        self.list.setVisible(bool(found))
        self.nothing.setVisible(not found)
        if not found:
            self.nothing.setText(
                f"The glossary has no entry with “{self.field.text().strip()}”. "
                "Try a shorter word, or one that stands on screen."
            )

    def _on_chosen(self, item: QListWidgetItem | None, _before: object = None) -> None:
        entry = find(item.data(Qt.ItemDataRole.UserRole)) if item is not None else None
        if entry is None or entry == self._shown:
            return
        if self._shown is not None:
            self._been.append(self._shown)
        self._shown = entry
        self._tell()

    def _go_to(self, entry: Entry) -> None:
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == entry.term:
                self.list.setCurrentRow(row)
                self.list.scrollToItem(self.list.item(row))

    # ------------------------------------------------------------------ text
    def _tell(self) -> None:
        self.back.setEnabled(bool(self._been))
        if self._shown is not None:
            self.text.setHtml(entry_html(self._shown))

    def _on_link(self, url: QUrl) -> None:
        entry = find(url.toString().removeprefix(_LINK))
        if entry is not None:
            self.field.clear()
            self._go_to(entry)

    def go_back(self) -> None:
        """Show the term that was shown before this one."""
        if not self._been:
            return
        entry = self._been.pop()
        self._shown = None  # coming from here is not kept
        self.field.clear()
        self.list.setCurrentRow(-1)
        self._go_to(entry)

    # ------------------------------------------------------------------ keys
    def keyPressEvent(self, event: QKeyEvent) -> None:
        back = event.key() == Qt.Key.Key_Left
        if back and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.go_back()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in _MOVES:
                self.list.keyPressEvent(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.text.setFocus(Qt.FocusReason.OtherFocusReason)
                return True
        return super().eventFilter(watched, event)


def entry_html(entry: Entry) -> str:
    """Return an entry as rich text, its neighbours as links."""
    colours = theme.palette()
    muted, link = colours.muted_text.name(), colours.link.name()
    told = html.escape
    parts = [
        f"<h3>{told(entry.term)}</h3>",
        f'<p style="line-height:130%"><b>{told(entry.hover)}</b></p>',
        f'<p style="line-height:130%">{told(entry.more)}</p>',
    ]
    if entry.where:
        parts.append(f'<p style="color:{muted}">Where: {told(entry.where)}.</p>')
    if entry.names:
        names = ", ".join(entry.names)
        parts.append(f'<p style="color:{muted}">On screen also as: {told(names)}.</p>')
    if entry.see:
        links = ", ".join(
            f'<a style="color:{link}" href="{_LINK}{told(term)}">{told(term)}</a>'
            for term in entry.see
        )
        parts.append(f"<p>See also: {links}</p>")
    return "".join(parts)
