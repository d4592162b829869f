"""The table of runs: their final figures, sorted inside the model, drawn ones checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QPixmap

from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.run_figures import RunRow, cell_text, order, used_columns

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_SWATCH = 12
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren


class RunTableModel(QAbstractTableModel):
    """Runs as rows. `colour_of` gives a drawn run's colour; `toggle` is told of a check."""

    def __init__(
        self,
        colour_of: Callable[[str], str],
        toggle: Callable[[str, bool], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._colour_of, self._toggle = colour_of, toggle
        self._runs: list[RunRow] = []
        self._order: list[int] = []
        self._columns = used_columns([])
        self._sort = ("name", False)

    def show_runs(self, runs: Sequence[RunRow]) -> None:
        """List other runs, or the same with other figures."""
        runs = list(runs)
        if runs == self._runs:
            self.refresh()
            return
        columns = used_columns(runs)
        if [r.name for r in runs] == [r.name for r in self._runs] and columns == self._columns:
            # The selection and the place in the list stay as they are.
            self.layoutAboutToBeChanged.emit()
            before = [self._runs[number].name for number in self._order]
            self._runs = runs
            self._order = order(runs, self._sort[0], falling=self._sort[1])
            self._move(before)
            self.layoutChanged.emit()
        else:
            self.beginResetModel()
            self._runs, self._columns = runs, columns
            self._order = order(runs, self._sort[0], falling=self._sort[1])
            self.endResetModel()
        self.refresh()

    def refresh(self) -> None:
        """Show which runs are drawn now, and in which colour."""
        if self._order:
            last = self.index(len(self._order) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def runs(self) -> list[RunRow]:
        """Return the runs as they are sorted."""
        return [self._runs[number] for number in self._order]

    def run_at(self, row: int) -> RunRow:
        return self._runs[self._order[row]]

    def row_of(self, name: str) -> int | None:
        names = [run.name for run in self.runs()]
        return names.index(name) if name in names else None

    def field_at(self, column: int) -> str:
        """Return the field a column shows."""
        return self._columns[column].field

    def column_of(self, field: str) -> int | None:
        """Return where a field is shown; None where it says nothing."""
        fields = [column.field for column in self._columns]
        return fields.index(field) if field in fields else None

    # ------------------------------------------------------------------ Qt
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._columns)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if index.isValid() and index.column() == 0 and self.run_at(index.row()).curves:
            return _FLAGS | Qt.ItemFlag.ItemIsUserCheckable
        return _FLAGS if index.isValid() else Qt.ItemFlag.NoItemFlags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        run, column = self.run_at(index.row()), self._columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(run, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column.number else _LEFT
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(run.error or (run.name if column.field == "name" else "")) or None
        if index.column() == 0:
            return self._name_data(run, role)
        return None

    def _name_data(self, run: RunRow, role: int) -> Any:
        if role == Qt.ItemDataRole.CheckStateRole and run.curves:
            drawn = bool(self._colour_of(run.name))
            return Qt.CheckState.Checked if drawn else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole:
            swatch, colour = QPixmap(_SWATCH, _SWATCH), self._colour_of(run.name)
            swatch.fill(QColor(colour) if colour else Qt.GlobalColor.transparent)
            return swatch
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        self._toggle(self.run_at(index.row()).name, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation is not Qt.Orientation.Horizontal or section >= len(self._columns):
            return None
        column = self._columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(column.tip or column.title)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column.number else _LEFT
        return None

    def sort(self, column: int, order_: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if not 0 <= column < len(self._columns):
            return
        self._sort = (self._columns[column].field, order_ == Qt.SortOrder.DescendingOrder)
        self.layoutAboutToBeChanged.emit()
        before = [run.name for run in self.runs()]
        self._order = order(self._runs, self._sort[0], falling=self._sort[1])
        self._move(before)
        self.layoutChanged.emit()

    def _move(self, before: list[str]) -> None:
        """Let what points at a row point at the same run after a sort."""
        after = {run.name: row for row, run in enumerate(self.runs())}
        old = self.persistentIndexList()
        new = [self.index(after[before[index.row()]], index.column()) for index in old]
        self.changePersistentIndexList(old, new)


def column_width(field: str) -> int:
    """Return how wide a column is at first, in pixels."""
    return {"name": 160, "architecture": 96, "target": 150, "state": 72}.get(field, 64)
