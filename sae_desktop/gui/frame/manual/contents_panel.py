"""What stands at the manual's left: the contents; while something is searched, what is found."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QLineEdit,
    QListView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.frame.palette_rows import EntryDelegate, EntryModel, Provider, Row
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.search import Entry
from sae_desktop.words.manual.contents import Manual, chapters
from sae_desktop.words.manual.search import Hit, search

_PLACE = Qt.ItemDataRole.UserRole
_MOVES = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp)


class ContentsPanel(QWidget):
    """A field over the tree of pages; typing lists the sections that answer."""

    chosen = Signal(str, str)
    """Page, anchor."""
    asked = Signal()
    """Something is searched: pages that are made are of use now."""

    def __init__(self, manual: Manual) -> None:
        super().__init__()
        self._manual = manual
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search the manual")
        self.field.setAccessibleName("Search the manual")
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._on_typed)
        self.field.installEventFilter(self)
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Contents")
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(12)
        self._fill_tree()
        self.tree.currentItemChanged.connect(self._on_page)
        self.model = EntryModel(self)
        self.found = QListView()
        self.found.setModel(self.model)
        self.found.setItemDelegate(EntryDelegate(self.found))
        self.found.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.found.setAccessibleName("Found in the manual")
        self.found.selectionModel().currentChanged.connect(self._on_found)
        self.nothing = label("", "muted", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(self.tree, 1)
        column.addWidget(self.found, 1)
        column.addWidget(self.nothing, 1, Qt.AlignmentFlag.AlignTop)
        self.found.hide()
        self.nothing.hide()

    def mark(self, page: str) -> None:
        """Mark a page in the contents."""
        item = self._items.get(page)
        if item is not None:
            with QSignalBlocker(self.tree):  # it is shown already
                self.tree.setCurrentItem(item)
            self.tree.scrollToItem(item)

    def search_again(self) -> None:
        """List what is found by now, at what is marked."""
        row = self.found.currentIndex().row()
        self._list(self.field.text())
        if 0 <= row < self.model.rowCount():
            with QSignalBlocker(self.found.selectionModel()):  # it is shown already
                self.found.setCurrentIndex(self.model.index(row, 0))

    def _fill_tree(self) -> None:
        self._items: dict[str, QTreeWidgetItem] = {}
        for chapter in chapters():
            head = QTreeWidgetItem([chapter.title])
            head.setFlags(Qt.ItemFlag.ItemIsEnabled)
            font = self.tree.font()
            font.setBold(True)
            head.setFont(0, font)
            self.tree.addTopLevelItem(head)
            for page in chapter.pages:
                item = QTreeWidgetItem([self._manual.title(page)])
                item.setData(0, _PLACE, page)
                item.setToolTip(0, plain_tip(self._manual.title(page)))
                head.addChild(item)
                self._items[page] = item
        self.tree.expandAll()
        self.tree.setItemsExpandable(False)

    def _on_page(self, item: QTreeWidgetItem | None, _before: object = None) -> None:
        page = item.data(0, _PLACE) if item is not None else None
        if page:
            self.chosen.emit(page, "")

    # ------------------------------------------------------------------ search
    def _on_typed(self, text: str) -> None:
        if text.strip():
            self.asked.emit()
        self._list(text)

    def _list(self, text: str) -> None:
        hits = search(text, self._manual.sections())
        self.model.show([self._row(hit) for hit in hits])
        searching = bool(text.strip())
        self.tree.setVisible(not searching)
        self.found.setVisible(searching and bool(hits))
        self.nothing.setVisible(searching and not hits)
        self.nothing.setText(
            f"Nothing in the manual has “{text.strip()}”. Try fewer or shorter words."
        )

    def _row(self, hit: Hit) -> Row:
        """Return a section under the title of its page."""
        section = hit.section
        above = Provider(
            lambda _query: [], lambda _entry: None, heading=self._manual.title(section.page)
        )
        entry = Entry(
            "",
            section.title,
            f"{section.page}#{section.anchor}",
            snippet=hit.snippet,
            found=hit.found,
        )
        return entry, above

    def _on_found(self, index: QModelIndex, _before: object = None) -> None:
        if index.isValid():
            page, _, anchor = self.model.entries[index.row()][0].key.partition("#")
            self.chosen.emit(page, anchor)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            listed = self.found if self.field.text().strip() else self.tree
            if event.key() in _MOVES:
                listed.keyPressEvent(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if listed is self.found and not self.found.currentIndex().isValid():
                    self.found.setCurrentIndex(self.model.index(0, 0))
                return True
            if event.key() == Qt.Key.Key_Escape and self.field.text():
                self.field.clear()
                return True
        return super().eventFilter(watched, event)
