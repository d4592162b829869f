"""A ranked list: rows of texts under heads that tell what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import joined_tips, plain_tip
from sae_desktop.gui.parts.row_table import RowTable
from sae_desktop.gui.parts.terms import tip_of

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ROOM = 20


class Head(NamedTuple):
    """A column: its title, what it means, and whether it holds words."""

    title: str
    tip: str = ""
    words: bool = False
    """It is at the left, and cut where there is no room."""
    short: bool = False
    """Words that are never cut."""


class FiguresModel(QAbstractTableModel):
    """Rows of texts; a row may be quiet, or stand out."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.heads: Sequence[Head] = ()
        self.rows: Sequence[Sequence[str]] = ()
        self._tips: Sequence[str] = ()
        self._marked: frozenset[int] = frozenset()
        self._quiet: frozenset[int] = frozenset()

    def show_rows(
        self,
        heads: Sequence[Head],
        rows: Sequence[Sequence[str]],
        *,
        tips: Sequence[str] = (),
        marked: frozenset[int] = frozenset(),
        quiet: frozenset[int] = frozenset(),
    ) -> None:
        """Show other rows; `marked` ones stand out, of `quiet` ones the first cell is grey."""
        self.beginResetModel()
        self.heads, self.rows, self._tips = heads, rows, tips
        self._marked, self._quiet = marked, quiet
        self.endResetModel()

    def text(self) -> str:
        """Return the table with tabs between its cells."""
        lines = [[head.title for head in self.heads], *self.rows]
        return "\n".join("\t".join(line) for line in lines)

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.heads)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        head = self.heads[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return head.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(head.tip or tip_of(head.title))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if head.words or head.short else _RIGHT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.rows[row][column]
        if role == Qt.ItemDataRole.ToolTipRole:
            own = self._tips[row] if row < len(self._tips) else ""
            return joined_tips(plain_tip(self.rows[row][column]), plain_tip(own))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            head = self.heads[column]
            return _LEFT if head.words or head.short else _RIGHT
        if role == Qt.ItemDataRole.ForegroundRole:
            if row in self._marked:
                return theme.palette().error
            if row in self._quiet and column == 0:
                return theme.palette().muted_text
        return None


class FiguresTable(RowTable):
    """Rows are walked by the arrow keys; Return or a double click chooses one."""

    rowChosen = Signal(int)
    rowPointed = Signal(int)
    """The present row, −1 where there is none."""

    def __init__(self, name: str) -> None:
        self.figures = FiguresModel()
        super().__init__(name, self.figures)
        self.figures.setParent(self)
        self.selectionModel().currentRowChanged.connect(
            lambda index, _before: self.rowPointed.emit(index.row())
        )

    def show_rows(self, heads: Sequence[Head], rows: Sequence[Sequence[str]], **more: Any) -> None:
        """Show other rows: see `FiguresModel.show_rows`."""
        self.figures.show_rows(heads, rows, **more)
        self.scrollToTop()
        self._share_room()

    def open_row(self, row: int) -> None:
        self.rowChosen.emit(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.figures.text())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """Give every column what it needs, and what is left to those that hold words."""
        heads, whole = self.figures.heads, self.viewport().width()
        if not heads:
            return
        metrics = self.fontMetrics()
        needed = []
        for column, head in enumerate(heads):
            texts = [head.title, *(row[column] for row in self.figures.rows)]
            needed.append(max(metrics.horizontalAdvance(text) for text in texts) + _ROOM)
        fixed = sum(n for n, head in zip(needed, heads, strict=True) if not head.words)
        words = [c for c, head in enumerate(heads) if head.words]
        wanted = sum(needed[c] for c in words)
        room = max(whole - fixed, len(words) * 6 * metrics.averageCharWidth())
        for column, need in enumerate(needed):
            width = need
            if column in words:
                width = need * room // wanted if wanted > room else need
                if column == words[-1]:
                    width += max(room - wanted, 0)
            self.setColumnWidth(column, max(width, 32))
