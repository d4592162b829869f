"""The one search (Ctrl+K): features, texts, commands, settings, terms, and what there is.

What is answered at once is listed as one types; the texts of the index are searched beside the
window, and what is found there is added at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QVBoxLayout, QWidget

from sae_desktop.gui.frame.palette_rows import (
    AnyIndex,
    EntryDelegate,
    EntryModel,
    Provider,
    Row,
    row_height,
)
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.search import Entry, rank
from sae_desktop.gui.state.background import Background

_WIDTH = 720
_KEYS = "↑ ↓ choose · Return opens or does it · Esc closes"
_ROWS = 13
_MOST = 200
"""Entries listed; how many more there are is said."""
_FEW = 8
"""Commands and the like that are listed above what is found in the texts."""
_PAUSE_MS = 120
"""Pause in the typing after which the texts are searched."""


class TextSearch(Protocol):
    """A search that takes time."""

    def work(self, query: str) -> Callable[[], Any] | None:
        """Return what to compute beside the window; None: there is nothing to be searched."""

    def rows(self, query: str, answer: Any) -> list[Row]:
        """Return what was found."""

    def searched(self) -> str:
        """Return what is searched beside commands and settings, in words."""


class SlowSearch(Protocol):
    """A search that somebody else carries out."""

    found: Any
    """Signal(str, object): the query and its rows."""

    def ask(self, query: str) -> None:
        """Search; an earlier query need not be answered any more."""

    def rows(self, query: str) -> list[Row]:
        """Return what is offered at once."""


class CommandPalette(QFrame):
    """A field and a list over the window. Enter does it, Escape goes back to where one was."""

    def __init__(
        self,
        window: QWidget,
        providers: Sequence[Provider],
        texts: TextSearch | None = None,
        meanings: SlowSearch | None = None,
    ) -> None:
        super().__init__(window)
        self._window = window
        self.setProperty("toast", "true")
        self._providers, self._texts, self._meanings = providers, texts, meanings
        self._meant: tuple[str, list[Row]] = "", []
        """What was found by meaning for a query, before its texts were searched."""
        if meanings is not None:
            meanings.found.connect(self._on_meanings_found)
        self.field = QLineEdit()
        self.field.setPlaceholderText(
            "Features by label, token or context; commands, settings, terms"
        )
        self.field.setAccessibleName("Search or run a command")
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.model = EntryModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(EntryDelegate(self.list))
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setAccessibleName("Found")
        self.list.clicked.connect(self._on_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.field)
        layout.addWidget(self.list, 1)
        self.nothing = label("", "muted", wrap=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.nothing.setContentsMargins(12, 8, 12, 8)
        layout.addWidget(self.nothing, 1)
        self.state = label("", "small")
        self.state.setContentsMargins(12, 0, 12, 0)
        layout.addWidget(self.state)
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self._search_texts)
        self._background = Background(self)
        self._background.answered.connect(self._on_texts_found)
        self._background.refused.connect(self._on_texts_refused)
        self._before: QWidget | None = None
        self.hide()

    def open(self, text: str = "") -> None:
        """Show the palette below the top of the window."""
        window = self._window
        self._before = window.focusWidget()
        self.field.setText(text)
        self._search(text)
        width = min(_WIDTH, window.width() - 48)
        self.resize(width, min(row_height(self.fontMetrics()) * _ROWS + 64, window.height() - 96))
        self.move((window.width() - width) // 2, 64)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close_palette(self) -> None:
        self.hide()
        if self._before is not None and self._before.isVisible():
            self._before.setFocus(Qt.FocusReason.OtherFocusReason)

    def _search(self, text: str) -> None:
        direct: list[Row] = []
        below: list[Row] = []
        offered: dict[Entry, Provider] = {}
        for provider in self._providers:
            for entry in provider.find(text):
                if provider.ranked:
                    offered[entry] = provider
                else:
                    (below if provider.last else direct).append((entry, provider))
        searches = self._texts is not None and self._texts.work(text) is not None
        # What is found in the texts comes below, and is to be seen without scrolling far.
        best = rank(text, offered)[: _FEW if searches else None]
        found = [*direct, *((entry, offered[entry]) for entry in best), *below]
        if len(found) > _MOST:
            more = Entry("", f"{len(found) - _MOST} more; keep typing", "", enabled=False)
            found = [*found[:_MOST], (more, found[_MOST][1])]
        self.model.show(found)
        if found:
            self.list.setCurrentIndex(self.model.index(0, 0))
        self._say(searching=searches)
        if searches:
            self._pause.start()
        else:
            self._pause.stop()

    # ------------------------------------------------------------------ the texts
    def _search_texts(self) -> None:
        query = self.field.text()
        work = self._texts.work(query) if self._texts is not None else None
        if work is not None:
            self._background.run(query, work)
            if self._meanings is not None:
                self._meanings.ask(query)

    def _on_meanings_found(self, query: str, rows: list[Row]) -> None:
        if query != self.field.text() or not self.isVisible():
            return
        if self._background.busy:
            self._meant = query, rows  # they stand below what is found in the texts
        else:
            self.model.add(rows)

    def _on_texts_found(self, answered: tuple[str, Any]) -> None:
        query, answer = answered
        if query != self.field.text() or not self.isVisible() or self._texts is None:
            return  # something else is asked by now
        was_empty = not self.model.entries
        self.model.add(self._texts.rows(query, answer))
        if self._meanings is not None:
            self.model.add(self._meanings.rows(query))
        if self._meant[0] == query:
            self.model.add(self._meant[1])
            self._meant = "", []
        if was_empty and self.model.entries:
            self.list.setCurrentIndex(self.model.index(0, 0))
        self._say(searching=False)

    def _on_texts_refused(self, answered: tuple[str, object]) -> None:
        if answered[0] == self.field.text():
            self._say(searching=False)

    def _say(self, *, searching: bool) -> None:
        """Say what is still searched, or that there is nothing and what to try."""
        there = bool(self.model.entries)
        self.list.setVisible(there or searching)
        self.nothing.setVisible(not there and not searching)
        beside = self._texts.searched() if self._texts is not None else ""
        self.nothing.setText(
            f"Nothing found for “{self.field.text().strip()}”.\n\nSearched: "
            f"{beside}commands, panels, settings, the glossary, the manual and what the project "
            "holds.\n"
            "Try fewer letters, a single word, or another spelling."
        )
        self.state.setText("Searching the texts…" if searching else _KEYS if there else "")

    def _on_clicked(self, index: AnyIndex) -> None:
        self.list.setCurrentIndex(index)
        self.accept()

    def accept(self) -> None:
        """Carry out the marked entry."""
        index = self.list.currentIndex()
        if not index.isValid():
            return
        entry, provider = self.model.entries[index.row()]
        if entry.enabled:
            self.close_palette()
            provider.run(entry)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.FocusOut and watched is self.field and self.isVisible():
            # A click into the list keeps the focus; anything else means one has gone elsewhere.
            self.hide()
        if event.type() is not QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        key = event.key()
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            self._move(key)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accept()
        elif key == Qt.Key.Key_Escape:
            self.close_palette()
        else:
            return False
        return True

    def _move(self, key: int) -> None:
        count = self.model.rowCount()
        if not count:
            return
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: _ROWS}
        row = self.list.currentIndex().row() + steps.get(Qt.Key(key), -_ROWS)
        row = (
            row % count if abs(steps.get(Qt.Key(key), -_ROWS)) == 1 else min(max(row, 0), count - 1)
        )
        self.list.setCurrentIndex(self.model.index(row, 0))
