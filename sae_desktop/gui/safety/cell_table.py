"""A table of cells that say what they show, sort by, and tell; an area is drawn as its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QResizeEvent

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.row_table import RowTable
from sae_desktop.gui.parts.terms import tip_of
from sae_desktop.gui.safety.area_delegate import AREA_ROLE, AreaDelegate
from sae_desktop.safety.scan.config import Area

Index = QModelIndex | QPersistentModelIndex
_SORT_MARK = 30
"""Beside a head: its margins, and the mark of the column that is sorted by."""
_CELL_ROOM = 24
"""Beside the text of a cell: its padding, and what Qt leaves."""
_LEAST = 22
"""Characters of the widest column."""
_ROOT = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    key: Any = None
    """What it is sorted by, of one type in a column; None: its text."""
    area: Area | None = None
    tip: str = ""
    bold: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Head:
    """What stands above a column."""

    title: str
    tip: str = ""
    """Empty: what the glossary says of the title."""
    width: int = 8
    """In characters; 0: the rest of the table’s width."""
    number: bool = False


class CellModel(QAbstractTableModel):
    """Rows of cells, sorted by any column."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.heads: list[Head] = []
        self._rows: list[list[Cell]] = []
        self._order: list[int] = []
        self._sort: tuple[int, bool] | None = None

    def show_rows(self, heads: Sequence[Head], rows: Sequence[Sequence[Cell]]) -> None:
        """Show other rows, sorted as before."""
        self.beginResetModel()
        if list(heads) != self.heads:
            self._sort = None
        self.heads, self._rows = list(heads), [list(row) for row in rows]
        self._arrange()
        self.endResetModel()

    def number(self, row: int) -> int:
        """Return which of the rows given is shown in a row; -1: none."""
        return self._order[row] if 0 <= row < len(self._order) else -1

    def row_of(self, number: int) -> int:
        """Return where one of the rows given is shown; -1: nowhere."""
        return self._order.index(number) if number in self._order else -1

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sort = (column, order == Qt.SortOrder.DescendingOrder) if column >= 0 else None
        self.layoutAboutToBeChanged.emit()
        old = self.persistentIndexList()
        before = [self.number(index.row()) for index in old]
        self._arrange()
        new = [
            self.index(self.row_of(number), index.column())
            for number, index in zip(before, old, strict=True)
        ]
        self.changePersistentIndexList(old, new)
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        self._order = list(range(len(self._rows)))
        if self._sort is not None and self._sort[0] < len(self.heads):
            column, falling = self._sort
            cells = [row[column] for row in self._rows]
            self._order.sort(
                key=lambda n: cells[n].text.casefold() if cells[n].key is None else cells[n].key,
                reverse=falling,
            )

    # ------------------------------------------------------------------ Qt asks
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.heads)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or section >= len(self.heads):
            return None
        head = self.heads[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return head.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(head.tip or tip_of(head.title)) or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if head.number else _LEFT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        cell = self._rows[self._order[index.row()]][index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return cell.text
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tip(cell.tip) or None
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if self.heads[index.column()].number else _LEFT
            case Qt.ItemDataRole.ForegroundRole if cell.quiet:
                return theme.palette().muted_text
            case Qt.ItemDataRole.FontRole if cell.bold:
                font = QFont()
                font.setBold(True)
                return font
            case _ if role == AREA_ROLE:
                return cell.area
        return None


class CellTable(RowTable):
    """Rows are walked by the arrow keys; Return or a double click opens one."""

    rowChosen = Signal(int)
    """Which of the rows given is the present one."""
    rowOpened = Signal(int)
    menuAsked = Signal(int, QPoint)
    """A row’s menu, and where on the screen."""

    def __init__(self, name: str) -> None:
        self.cells = CellModel()
        super().__init__(name, self.cells, room=10)
        self.cells.setParent(self)
        self.setItemDelegate(AreaDelegate(self))
        self.sort_by_heads()
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.selectionModel().currentRowChanged.connect(lambda index, _: self._tell(index.row()))
        self.customContextMenuRequested.connect(self._ask_menu)

    def show_rows(
        self, heads: Sequence[Head], rows: Sequence[Sequence[Cell]], chosen: int = 0
    ) -> None:
        """Show rows, one of them chosen."""
        self.cells.show_rows(heads, rows)
        self._share_room()
        self.choose(chosen)

    def choose(self, number: int) -> None:
        """Make one of the rows given the present one."""
        row = self.cells.row_of(number)
        if row >= 0:
            self.setCurrentIndex(self.cells.index(row, 0))

    @property
    def chosen(self) -> int:
        """Which of the rows given is the present one; -1: none."""
        return self.cells.number(self.currentIndex().row())

    def _tell(self, row: int) -> None:
        if self.cells.number(row) >= 0:
            self.rowChosen.emit(self.cells.number(row))

    def open_row(self, row: int) -> None:
        if self.cells.number(row) >= 0:
            self.rowOpened.emit(self.cells.number(row))

    def _ask_menu(self, point: QPoint) -> None:
        index = self.indexAt(point)
        if not index.isValid():  # the menu key, where no row is under the pointer
            index = self.currentIndex()
            point = self.visualRect(index).bottomLeft()
        if index.isValid():
            number = self.cells.number(index.row())
            self.menuAsked.emit(number, self.viewport().mapToGlobal(point))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """Give columns what they need, and the widest the rest."""
        metrics, character = self.fontMetrics(), self.fontMetrics().averageCharWidth()
        widths = [
            max(
                head.width * character + _CELL_ROOM,
                metrics.horizontalAdvance(head.title) + _SORT_MARK,
            )
            for head in self.cells.heads
        ]
        free = [n for n, head in enumerate(self.cells.heads) if not head.width]
        taken = sum(width for n, width in enumerate(widths) if n not in free)
        rest = max(self.viewport().width() - taken, _LEAST * character * len(free))
        for n, width in enumerate(widths):
            self.setColumnWidth(n, rest // len(free) if n in free else width)
