"""A grid of layers and tokens: a word and a shade in every cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import readable_on
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.theme import rgb

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_MOST = 0.75
"""How much of the accent the strongest cell has: words stay readable."""


class CellModel(QAbstractTableModel):
    """Texts, shades in −1 … 1 and tips of R × C cells."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[str] = ()
        self._columns: Sequence[str] = ()
        self._texts: Sequence[Sequence[str]] = ()
        self._shades: Sequence[Sequence[float]] = ()
        self._tips: Sequence[Sequence[str]] = ()
        theme.manager().themeChanged.connect(self._recolour)

    def show_cells(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        texts: Sequence[Sequence[str]],
        shades: Sequence[Sequence[float]],
        tips: Sequence[Sequence[str]],
    ) -> None:
        """Show other cells; a shade below 0 is in the colour of what lowers."""
        self.beginResetModel()
        self._rows, self._columns = rows, columns
        self._texts, self._shades, self._tips = texts, shades, tips
        self.endResetModel()

    def _recolour(self) -> None:
        if self._rows and self._columns:
            last = self.index(len(self._rows) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        names = self._columns if orientation == Qt.Orientation.Horizontal else self._rows
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = names[section]
            return plain_tip(text) if role == Qt.ItemDataRole.ToolTipRole else text
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts[row][column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tips[row][column])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role in (Qt.ItemDataRole.BackgroundRole, Qt.ItemDataRole.ForegroundRole):
            ground = _ground(self._shades[row][column])
            if role == Qt.ItemDataRole.BackgroundRole:
                return ground
            return QColor(*readable_on(rgb(ground), rgb(theme.palette().text)))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{self._rows[row]}, {self._columns[column]}: {self._tips[row][column]}"
        return None


def _ground(shade: float) -> QColor:
    colours = theme.palette()
    end = colours.accent if shade >= 0 else colours.negative
    return theme.blend(colours.surface, end, min(abs(shade), 1.0) * _MOST)


class CellGrid(QTableView):
    """Columns as wide as words need, at most; the layers stay at the left."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.cells = CellModel(self)
        self.setModel(self.cells)
        self.setAccessibleName(name)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setCornerButtonEnabled(False)
        letter, line = self.fontMetrics().averageCharWidth(), self.fontMetrics().height()
        head, side = self.horizontalHeader(), self.verticalHeader()
        for header in (head, side):
            header.setHighlightSections(False)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setMinimumSectionSize(24)
        head.setDefaultSectionSize(letter * 10 + 8)
        head.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        side.setMinimumSectionSize(14)
        side.setDefaultSectionSize(line + 8)
        side.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
