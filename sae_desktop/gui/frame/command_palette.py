"""The search field that is also the command palette (Ctrl+K)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.search import Entry, rank

AnyIndex = QModelIndex | QPersistentModelIndex

_ROOT = QModelIndex()
_WIDTH = 640
_ROW = 32
_ROWS = 12
_MOST = 200
"""Entries listed; how many more there are is said."""


@dataclass(frozen=True)
class Provider:
    """A source of entries: what it offers for a query, and how one is carried out."""

    find: Callable[[str], list[Entry]]
    """Entries to be ranked; most providers ignore the query and return all."""
    run: Callable[[Entry], object]
    ranked: bool = True
    """False: the entries answer the query already and go first."""


class EntryModel(QAbstractListModel):
    """The entries found."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: list[tuple[Entry, Provider]] = []

    def show(self, entries: list[tuple[Entry, Provider]]) -> None:
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self.entries[index.row()][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == Qt.ItemDataRole.UserRole:
            return entry
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.kind}: {entry.title} {entry.shortcut}"
        return None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsSelectable
        if index.isValid() and self.entries[index.row()][0].enabled:
            flags |= Qt.ItemFlag.ItemIsEnabled
        return flags


class _EntryDelegate(QStyledItemDelegate):
    """Title at the left, kind and shortcut at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        return QSize(100, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        colours = theme.palette()
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, colours.selection)
        area = option.rect.adjusted(12, 0, -12, 0)
        metrics = option.fontMetrics
        keys = QKeySequence(entry.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
        right = f"{entry.detail}   {keys}" if entry.detail and keys else entry.detail or keys
        right = f"{right}   {entry.kind}" if right else entry.kind
        right = metrics.elidedText(right, Qt.TextElideMode.ElideMiddle, area.width() // 2)
        room = metrics.horizontalAdvance(right) + 16
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colours.text if entry.enabled else colours.disabled_text)
        title = metrics.elidedText(entry.title, Qt.TextElideMode.ElideMiddle, area.width() - room)
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft, title)
        if not option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(colours.muted_text)
        box = QRect(area.right() - room, area.top(), room, area.height())
        painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, right)
        painter.restore()


class CommandPalette(QFrame):
    """A field and a list over the window. Enter does it, Escape goes back to where one was."""

    def __init__(self, window: QWidget, providers: list[Provider]) -> None:
        super().__init__(window)
        self._window = window
        self.setProperty("toast", "true")
        self._providers = providers
        self.field = QLineEdit()
        self.field.setPlaceholderText("Actions, features by number or label, indexes, settings")
        self.field.setAccessibleName("Search or run a command")
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.model = EntryModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_EntryDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setAccessibleName("Found")
        self.list.clicked.connect(self._on_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        self._before: QWidget | None = None
        self.hide()

    def open(self, text: str = "") -> None:
        """Show the palette below the top of the window."""
        window = self._window
        self._before = window.focusWidget()
        self.field.setText(text)
        self._search(text)
        width = min(_WIDTH, window.width() - 48)
        self.resize(width, _ROW * _ROWS + 64)
        self.move((window.width() - width) // 2, 64)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close_palette(self) -> None:
        self.hide()
        if self._before is not None and self._before.isVisible():
            self._before.setFocus(Qt.FocusReason.OtherFocusReason)

    def _search(self, text: str) -> None:
        direct: list[tuple[Entry, Provider]] = []
        offered: dict[Entry, Provider] = {}
        for provider in self._providers:
            for entry in provider.find(text):
                if provider.ranked:
                    offered[entry] = provider
                else:
                    direct.append((entry, provider))
        found = direct + [(entry, offered[entry]) for entry in rank(text, offered)]
        if len(found) > _MOST:
            more = Entry("", f"{len(found) - _MOST} more; keep typing", "", enabled=False)
            found = [*found[:_MOST], (more, found[0][1])]
        self.model.show(found)
        if found:
            self.list.setCurrentIndex(self.model.index(0))

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
        self.list.setCurrentIndex(self.model.index(row))
