"""The table of features: numpy columns, sorted and filtered by arrays of feature numbers.

No proxy and no item objects: a million rows cost an array of a million numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sae_desktop.features.reader import FeatureIndex
from sae_desktop.gui.feature_filter import (
    COLUMNS,
    FALLING_FIRST,
    FeatureFilter,
    matching,
    ordered,
)
from sae_desktop.gui.feature_notes import FeatureNotes

Array = npt.NDArray[Any]
Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

FEATURE_ROLE = Qt.ItemDataRole.UserRole
"""The feature's number, as an int."""

STAR, NUMBER, LABEL, DENSITY, MAXIMUM, MEAN = range(len(COLUMNS))
_HEADERS = ("★", "#", "Label", "Density", "Max", "Mean")
_TIPS = (
    "Starred",
    "Number of the feature in its dictionary",
    "What the feature stands for, as somebody named it; F2 edits it",
    "Share of tokens on which the feature fires",
    "Largest activation",
    "Mean of the activations above 0",
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_MIDDLE = Qt.AlignmentFlag.AlignCenter
_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
_LABEL_FLAGS = _FLAGS | Qt.ItemFlag.ItemIsEditable


class FeatureTableModel(QAbstractTableModel):
    """Features of an index as rows; what is hidden by the filter is not there."""

    def __init__(self, notes: FeatureNotes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._notes = notes
        self._figures: dict[str, Array] = {}
        self._count = 0
        self._matching: Array = np.empty(0, dtype=np.int64)
        """Features that meet the filter, ascending; `_rows` holds them as sorted."""
        self._rows = self._matching
        self._in_order = True
        self._row_of: Array | None = None
        self.filter = FeatureFilter()
        self.sort_column = NUMBER
        self.sort_falling = False
        notes.noteChanged.connect(self._on_note_changed)
        notes.reloaded.connect(self._rebuild)

    def set_index(self, index: FeatureIndex | None) -> None:
        """List the features of another index, or none."""
        self._figures = {}
        self._count = 0
        if index is not None:
            self._figures = {name: np.asarray(a) for name, a in index.columns.items()}
            self._count = index.features
        self._rebuild()

    @property
    def total(self) -> int:
        """How many features there are, hidden ones included."""
        return self._count

    def set_filter(self, conditions: FeatureFilter) -> None:
        """List the features that meet the conditions."""
        if conditions != self.filter:
            self.filter = conditions
            self._rebuild()

    # ------------------------------------------------------------------ rows
    def feature_at(self, row: int) -> int:
        """Return the feature of a row."""
        return int(self._rows[row])

    def row_of(self, feature: int) -> int | None:
        """Return the row of a feature; None when the filter hides it."""
        if not 0 <= feature < self._count:
            return None
        if self._row_of is None:
            self._row_of = np.full(self._count, -1, dtype=np.int64)
            self._row_of[self._rows] = np.arange(len(self._rows))
        row = int(self._row_of[feature])
        return row if row >= 0 else None

    def _rebuild(self) -> None:
        self.beginResetModel()
        self._matching = np.empty(0, dtype=np.int64)
        if self._count:
            density = self._figures["density"]
            labels, stars = self._notes.labels(), self._notes.stars()
            self._matching = matching(self.filter, density, labels, stars)
        self._order()
        self.endResetModel()

    def _order(self) -> None:
        labels, stars = self._notes.labels(), self._notes.stars()
        column, falling = COLUMNS[self.sort_column], self.sort_falling
        if self._count:
            self._rows = ordered(self._matching, column, falling, self._figures, labels, stars)
        else:
            self._rows = self._matching
        self._row_of = None
        self._in_order = True

    def _on_note_changed(self, feature: int) -> None:
        # The row keeps its place although its label or star is what the list is sorted or
        # filtered by: nothing moves under the hand that has just edited it.
        self._in_order = False
        row = self.row_of(feature)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, LABEL))

    # ------------------------------------------------------------------ Qt's side
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(int(self._rows[index.row()]), column)
        if role == FEATURE_ROLE:
            return int(self._rows[index.row()])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _MIDDLE if column == STAR else _LEFT if column == LABEL else _RIGHT
        feature = int(self._rows[index.row()])
        if role == Qt.ItemDataRole.EditRole and column == LABEL:
            return self._notes.label(feature)
        if role == Qt.ItemDataRole.ToolTipRole and column == LABEL:
            return self._notes.label(feature) or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if column == STAR:
                return "starred" if self._notes.starred(feature) else "not starred"
            name = "Feature" if column == NUMBER else _HEADERS[column]
            return f"{name} {self._text(feature, column)}"
        return None

    def _text(self, feature: int, column: int) -> str:
        if column == STAR:
            return "★" if self._notes.starred(feature) else ""
        if column == NUMBER:
            return str(feature)
        if column == LABEL:
            return self._notes.label(feature)
        value = float(self._figures[COLUMNS[column]][feature])
        return f"{100.0 * value:.4f}%" if column == DENSITY else f"{value:.2f}"

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if not index.isValid() or index.column() != LABEL or role != Qt.ItemDataRole.EditRole:
            return False
        self._notes.set_label(self.feature_at(index.row()), str(value))
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return _LABEL_FLAGS if index.column() == LABEL else _FLAGS

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            arrow = " ▾" if self.sort_falling else " ▴"
            return _HEADERS[section] + (arrow if section == self.sort_column else "")
        if role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _MIDDLE if section == STAR else _LEFT if section == LABEL else _RIGHT
        if role == Qt.ItemDataRole.InitialSortOrderRole:
            falling = COLUMNS[section] in FALLING_FIRST
            return Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what is selected and being edited goes along."""
        falling = order == Qt.SortOrder.DescendingOrder
        if not 0 <= column < len(COLUMNS):
            return
        if (column, falling) == (self.sort_column, self.sort_falling) and self._in_order:
            return
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        features = [self.feature_at(index.row()) for index in held]
        self.sort_column, self.sort_falling = column, falling
        self._order()
        moved = []
        for index, feature in zip(held, features, strict=True):
            row = self.row_of(feature)
            moved.append(QModelIndex() if row is None else self.index(row, index.column()))
        self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
