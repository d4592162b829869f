"""The table of features: numpy columns, sorted and filtered by arrays of feature numbers.

No proxy and no item objects: a million rows cost an array of a million numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from sae_desktop.features.reading.columns import COLUMNS, column_info
from sae_desktop.features.reading.filter import LABEL as LABEL_COLUMN
from sae_desktop.features.reading.filter import NUMBER as NUMBER_COLUMN
from sae_desktop.features.reading.filter import (
    SCORE,
    STARRED,
    FeatureFilter,
    falls_first,
    matching,
    ordered,
)
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import SCORE_ROLE, WORDS_ROLE
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.labels.search.config import FoundMeaning
from sae_desktop.words.column_text import column_text
from sae_desktop.words.found_words import found_how, found_text, nearness

Array = npt.NDArray[Any]
Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

FEATURE_ROLE = Qt.ItemDataRole.UserRole
"""The feature's number, as an int."""

NOTE = "note"
_FIRST = ("density", "max_activation", "mean_activation")
"""Shown where nobody has chosen columns."""
TABLE_COLUMNS = (
    STARRED,
    NUMBER_COLUMN,
    LABEL_COLUMN,
    *_FIRST,
    *(info.name for info in COLUMNS if info.name not in _FIRST and info.kind != "coordinate"),
    SCORE,
    NOTE,
)
"""All a list can show, at first from left to right: what an index may hold, but for places."""
STAR, NUMBER, LABEL, DENSITY, MAXIMUM, MEAN = range(6)

_WRITTEN = {
    STARRED: ("★", "Starred"),
    NUMBER_COLUMN: ("#", "Number of the feature in its dictionary"),
    LABEL_COLUMN: (
        "Name",
        "What the feature is called: its label, or in grey where it has none an automatic name, "
        "made by counting; press F2 to label it",
    ),
    SCORE: ("Score", "How well the label fits, 0 to 1"),
    NOTE: ("Note", "What somebody wrote about the feature"),
}
_SPOKEN = {NUMBER: "Feature", LABEL: "Label"}
AUTOMATIC_IN_GREY = " · automatic in grey"
"""Stands in the header over the names, where some of them are automatic."""
_TEXTS = (LABEL_COLUMN, NOTE, "language", "source", "modality", "concept", "token")
_SCREEN = 32
"""Rows whose notes are read together."""
_TOLD = {
    Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.TextAlignmentRole, Qt.ItemDataRole.EditRole,
    Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole,
    FEATURE_ROLE, WORDS_ROLE, SCORE_ROLE,
}  # fmt: skip
"""What Qt asks for and is told; it asks for as much again that a row does not have."""
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_MIDDLE = Qt.AlignmentFlag.AlignCenter
_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
_LABEL_FLAGS = _FLAGS | Qt.ItemFlag.ItemIsEditable


def column_title(name: str) -> str:
    """Return what stands over a column of TABLE_COLUMNS."""
    return _WRITTEN[name][0] if name in _WRITTEN else column_info(name).title


def column_tip(name: str) -> str:
    """Return in one line what a column of TABLE_COLUMNS is."""
    return _WRITTEN[name][1] if name in _WRITTEN else column_info(name).tip


class FeatureTableModel(QAbstractTableModel):
    """Features of an index as rows; what is hidden by the filter is not there."""

    aboutToSort = Signal()
    """The rows are about to change places; what is selected will go along."""

    def __init__(self, notes: FeatureNotes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._notes = notes
        self._index: FeatureIndex | None = None
        self._matching: Array = np.empty(0, dtype=np.int64)
        """Features that meet the filter, ascending; `_rows` holds them as sorted."""
        self._rows = self._matching
        self._in_order = True
        self._row_of: Array | None = None
        self.filter = FeatureFilter()
        self.only: FeatureSet | None = None
        """The only features listed, in their order until one sorts."""
        self._as_given = False
        self.hits: Mapping[int, FoundMeaning] = {}
        """Feature → why a search by meaning found it."""
        self.sort_column = NUMBER
        self.sort_falling = False
        notes.noteChanged.connect(self._on_note_changed)
        notes.reloaded.connect(self._on_notes_reloaded)

    def set_index(self, index: FeatureIndex | None) -> None:
        """List the features of another index, or none; conditions it cannot meet are dropped."""
        self._index = index
        self.only, self._as_given = None, False
        self.set_matching(FeatureFilter(), self.matching_features(FeatureFilter()))

    @property
    def index_shown(self) -> FeatureIndex | None:
        return self._index

    @property
    def total(self) -> int:
        """How many features there are, hidden ones included."""
        return self._index.features if self._index is not None else 0

    @property
    def listed(self) -> Array:
        """The features in the order of the rows."""
        return self._rows

    def has_column(self, column: int) -> bool:
        """Return whether the open index, or what a person wrote, has the column."""
        name = TABLE_COLUMNS[column]
        return name in _WRITTEN or (self._index is not None and name in self._index.columns)

    def set_filter(self, conditions: FeatureFilter, only: FeatureSet | None = None) -> None:
        """List the features that meet the conditions. Raises UserError for impossible ones."""
        if conditions != self.filter or only is not self.only:
            found = self.matching_features(conditions, only)
            if only is not self.only:
                self.only, self._as_given = only, only is not None
            self.set_matching(conditions, found)

    def matching_features(self, conditions: FeatureFilter, only: FeatureSet | None = None) -> Array:
        """Return the features that meet the conditions, ascending. Raises UserError."""
        if self._index is None:
            return np.empty(0, dtype=np.int64)
        among = None if only is None else np.asarray(only.features, dtype=np.int64)
        return matching(conditions, self._index, self._notes, among)

    def set_matching(self, conditions: FeatureFilter, features: Array) -> None:
        """List these features, which meet the conditions."""
        self.beginResetModel()
        self.filter = conditions
        self._matching = features
        self._order()
        self.endResetModel()

    # ------------------------------------------------------------------ rows
    def feature_at(self, row: int) -> int:
        """Return the feature of a row."""
        return int(self._rows[row])

    def row_of(self, feature: int) -> int | None:
        """Return the row of a feature; None when the filter hides it."""
        if not 0 <= feature < self.total:
            return None
        if self._row_of is None:
            self._row_of = np.full(self.total, -1, dtype=np.int64)
            self._row_of[self._rows] = np.arange(len(self._rows))
        row = int(self._row_of[feature])
        return row if row >= 0 else None

    def _on_notes_reloaded(self) -> None:
        if self._index is None:
            return
        found = self.matching_features(self.filter, self.only)
        self.set_matching(self.filter, found)

    def _order(self) -> None:
        if self._as_given and self.only is not None:
            given = np.asarray(self.only.features, dtype=np.int64)
            self._rows = given[np.isin(given, self._matching)]
        elif self._index is not None:
            if not self.has_column(self.sort_column):
                self.sort_column, self.sort_falling = NUMBER, False
            name = TABLE_COLUMNS[self.sort_column]
            self._rows = ordered(self._matching, name, self.sort_falling, self._index, self._notes)
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
            self.dataChanged.emit(self.index(row, 0), self.index(row, self.columnCount() - 1))

    # ------------------------------------------------------------------ Qt's side
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(TABLE_COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in _TOLD or not index.isValid() or index.row() >= len(self._rows):
            return None
        column = index.column()
        feature = int(self._rows[index.row()])
        if feature not in self._notes.held:
            # Rows are painted from the top of the screen down.
            self._notes.hold(self._rows[index.row() : index.row() + _SCREEN].tolist())
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(feature, column)
        if role == FEATURE_ROLE:
            return feature
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.EditRole and column == LABEL:
            return self._notes.label(feature)
        if role == Qt.ItemDataRole.ToolTipRole and TABLE_COLUMNS[column] in (LABEL_COLUMN, NOTE):
            if column == LABEL:
                return plain_tip(self._tip(feature)) or None
            return plain_tip(self._text(feature, column)) or None
        if role in (WORDS_ROLE, SCORE_ROLE):
            told = self._notes.words if role == WORDS_ROLE else self._figure
            return told(feature) if column == LABEL else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if column == STAR:
                return "starred" if self._notes.starred(feature) else "not starred"
            name = _SPOKEN.get(column) or column_title(TABLE_COLUMNS[column])
            text = self._text(feature, column)
            return f"{name} {text}" if text or column != LABEL else self._unlabelled(feature)
        return None

    def _figure(self, feature: int) -> str:
        """Return what stands small beside a name: how near it is to what was asked, or a score."""
        hit = self.hits.get(feature)
        return self._notes.score_text(feature) if hit is None else nearness(hit)

    def _tip(self, feature: int) -> str:
        hit, tip = self.hits.get(feature), self._notes.tip(feature)
        if hit is None or self._index is None:
            return tip
        return f"Found {found_how(hit)}: {found_text(self._index, hit)}\n{tip}"

    def _unlabelled(self, feature: int) -> str:
        """Return what is told, to those who listen, of a feature in the place of its label."""
        words = self._notes.words(feature)
        return "No label" if words is None else f"No label; {words.spoken}"

    def _text(self, feature: int, column: int) -> str:
        name = TABLE_COLUMNS[column]
        if name == STARRED:
            return "★" if self._notes.starred(feature) else ""
        if name == NUMBER_COLUMN:
            return str(feature)
        if name == LABEL_COLUMN:
            return self._notes.label(feature)
        if name == SCORE:
            score = self._notes.note(feature).score
            return "" if score is None else f"{score:.2f}"
        if name == NOTE:
            return " ".join(self._notes.note(feature).note.split())
        return "" if self._index is None else column_text(self._index, name, feature)

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
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(TABLE_COLUMNS):
            return None
        name = TABLE_COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            arrow = " ▾" if self.sort_falling else " ▴"
            sorted_by = section == self.sort_column and not self._as_given
            legend = AUTOMATIC_IN_GREY if name == LABEL_COLUMN and self._has_names else ""
            return column_title(name) + (arrow if sorted_by else "") + legend
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{column_tip(name)}. Drag to move the column; right-click to choose columns."
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        if role == Qt.ItemDataRole.InitialSortOrderRole:
            falling = name != NOTE and falls_first(name)
            return Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder
        return None

    @property
    def _has_names(self) -> bool:
        return self._index is not None and len(self._index.short_names()) > 0

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; what is selected and being edited goes along."""
        falling = order == Qt.SortOrder.DescendingOrder
        if not 0 <= column < len(TABLE_COLUMNS) or TABLE_COLUMNS[column] == NOTE:
            return
        same = (column, falling) == (self.sort_column, self.sort_falling)
        if same and self._in_order and not self._as_given:
            return
        self.aboutToSort.emit()
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        features = [self.feature_at(index.row()) for index in held]
        self.sort_column, self.sort_falling = column, falling
        self._as_given = False
        self._order()
        moved = []
        for index, feature in zip(held, features, strict=True):
            row = self.row_of(feature)
            moved.append(QModelIndex() if row is None else self.index(row, index.column()))
        self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(TABLE_COLUMNS) - 1)


def _alignment(column: int) -> Qt.AlignmentFlag:
    if column == STAR:
        return _MIDDLE
    return _LEFT if TABLE_COLUMNS[column] in _TEXTS else _RIGHT
