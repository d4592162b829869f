"""The table of features: one row a feature, all rows of one height, columns to choose from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QPoint,
    QSignalBlocker,
    Qt,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QMenu,
    QTableView,
)

from sae_desktop.gui.explore.list.feature_table import (
    DENSITY,
    LABEL,
    MAXIMUM,
    MEAN,
    NUMBER,
    STAR,
    TABLE_COLUMNS,
    FeatureTableModel,
    Index,
    column_tip,
    column_title,
)
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import QuietWordsDelegate

SHOWN_AT_FIRST = (STAR, NUMBER, LABEL, DENSITY, MAXIMUM, MEAN)
_ALWAYS = (NUMBER, LABEL)
_FROM = {MAXIMUM: 480, MEAN: 560}
"""Narrower than this the list gives a column's room to the names, unless it was asked for."""
_LEAST_LABEL = 120
_ROOM = 12
"""Pixels around what stands in a column."""
_BESIDE_NAMES = ("name_score", "label_score")
"""Figures that stand small beside the names: they need no column."""
_HELD_WHEN_SORTED = 1000
"""Selected rows that go along when the order changes; Qt holds an index of each of their cells."""
_WIDEST = {
    "starred": "★ ▾",
    "density": "0.0000%",
    "firings": "0,000,000",
    "language": "Language ▾",
    "source": "python-stdlib",
    "modality": "pictures",
    "token": "internationally",
    "note": "What somebody wrote",
}


class FeatureTable(QTableView):
    """The table itself; the panel fills it."""

    leftWithReturn = Signal()
    columnsChosen = Signal()
    """Other columns are shown."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = set(SHOWN_AT_FIRST)
        self._chosen = False
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.DoubleClicked
        )
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setAccessibleName("Features")
        self.setItemDelegateForColumn(LABEL, QuietWordsDelegate(self))
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(16)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 10)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(24)
        columns.setSectionsMovable(True)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        columns.customContextMenuRequested.connect(self._on_header_menu_requested)
        columns.sectionMoved.connect(self._on_moved)
        self._arranging = False

    def setModel(self, model: QAbstractItemModel | None) -> None:
        super().setModel(model)
        if isinstance(model, FeatureTableModel):
            # A header asks of each column whether all its rows are selected, at each paint. With
            # a selection of its own, which is empty, it need not ask a million rows.
            self.horizontalHeader().setSelectionModel(QItemSelectionModel(model, self))
            model.aboutToSort.connect(self._on_about_to_sort)
            # Other rows are about to be listed: what is typed belongs to the row it stands in.
            model.modelAboutToBeReset.connect(self.commit_edit)

    def _on_range_changed(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > low)

    # ------------------------------------------------------------------ columns
    @property
    def columns_chosen(self) -> bool:
        """Whether a person chose columns or their order."""
        return self._chosen

    def shown_columns(self) -> list[str]:
        """Return the names of the columns that were chosen, from left to right."""
        at = self.horizontalHeader().visualIndex
        return [TABLE_COLUMNS[column] for column in sorted(self._shown, key=at)]

    def show_columns(self, names: list[str]) -> None:
        """Show these columns in this order, and those that no list is without."""
        known = {name: column for column, name in enumerate(TABLE_COLUMNS)}
        wanted = [known[name] for name in names if name in known]
        self._shown = {*wanted, *_ALWAYS}
        self._chosen = True
        self._arrange([*wanted, *(c for c in _ALWAYS if c not in wanted)])
        self.fit_columns()

    def _arrange(self, columns: list[int]) -> None:
        """Put columns at the left, in this order."""
        header = self.horizontalHeader()
        self._arranging = True
        for place, column in enumerate(columns):
            header.moveSection(header.visualIndex(column), place)
        self._arranging = False

    def _on_moved(self, _column: int, _before: int, _after: int) -> None:
        if not self._arranging:
            self._chosen = True
            self.columnsChosen.emit()

    def show_column(self, name: str) -> None:
        """Show a column beside those that are shown, in sight."""
        column = TABLE_COLUMNS.index(name)
        if column not in self._in_sight:
            self._on_column_toggled(column, shown=True)
        self.reveal(column)

    def show_made(self, name: str) -> None:
        """Show a column that has just been made, where its figures stand nowhere else."""
        if name in TABLE_COLUMNS and name not in _BESIDE_NAMES:
            self.show_column(name)

    def reveal(self, column: int) -> None:
        """Scroll sideways so that a column is in sight."""
        self.updateGeometries()
        bar, left = self.horizontalScrollBar(), self.columnViewportPosition(column)
        right = left + self.columnWidth(column) - self.viewport().width()
        if left < 0 or right > 0:
            bar.setValue(bar.value() + (left if left < 0 else min(right, left)))

    def fit_columns(self) -> None:
        """Give the columns their widths; the label takes what is left."""
        model = self.model()
        if not isinstance(model, FeatureTableModel):
            return
        metrics = self.fontMetrics()
        taken = 0
        in_sight = self._in_sight
        for column, name in enumerate(TABLE_COLUMNS):
            hidden = column not in in_sight or not model.has_column(column)
            self.setColumnHidden(column, hidden)
            if hidden or column == LABEL:
                continue
            title = f"{column_title(name)} ▾"
            widest = "0" * len(str(model.total)) if column == NUMBER else _WIDEST.get(name)
            texts = (widest or "0000.00", title)
            width = max(map(metrics.horizontalAdvance, texts)) + _ROOM
            self.setColumnWidth(column, width)
            taken += width
        self.setColumnWidth(LABEL, max(self.viewport().width() - taken, _LEAST_LABEL))

    @property
    def _in_sight(self) -> set[int]:
        """The columns that are shown now: where nobody has chosen, those there is room for."""
        if self._chosen:
            return self._shown
        width = self.viewport().width()
        return {column for column in self._shown if width >= _FROM.get(column, 0)}

    def _on_header_menu_requested(self, point: QPoint) -> None:
        menu = self.column_menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.horizontalHeader().mapToGlobal(point))

    def column_menu(self) -> QMenu:
        """Return the menu in which columns are chosen."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        model = self.model()
        for column, name in enumerate(TABLE_COLUMNS):
            if column in _ALWAYS:
                continue
            action = menu.addAction("Star" if column == STAR else column_title(name))
            action.setToolTip(plain_tip(column_tip(name)))
            action.setCheckable(True)
            action.setChecked(column in self._in_sight)
            action.setEnabled(isinstance(model, FeatureTableModel) and model.has_column(column))
            action.toggled.connect(
                lambda on, column=column: self._on_column_toggled(column, shown=on)
            )
        return menu

    def _on_column_toggled(self, column: int, *, shown: bool) -> None:
        before = self._in_sight  # what had no room was not chosen
        self._shown = before | {column} if shown else before - {column}
        self._chosen = True
        self.fit_columns()
        if shown:
            self.reveal(column)
        self.columnsChosen.emit()

    # ------------------------------------------------------------------ rows
    def count_selected(self) -> int:
        """Return how many rows are selected."""
        return sum(rows.height() for rows in self._selected_ranges())

    def selected_rows(self) -> npt.NDArray[Any]:
        """Return the selected rows, ascending."""
        ranges = [np.arange(r.top(), r.bottom() + 1) for r in self._selected_ranges()]
        return np.sort(np.concatenate(ranges)) if ranges else np.empty(0, dtype=np.int64)

    def _selected_ranges(self) -> list[QItemSelectionRange]:
        selection: Any = self.selectionModel().selection()  # a list, which its stub leaves out
        return list(selection)

    def _on_about_to_sort(self) -> None:
        count = self.count_selected()
        # All rows in one range stay all rows; Qt holds no index of each then.
        whole = len(self._selected_ranges()) == 1 and count == self.model().rowCount()
        if count > _HELD_WHEN_SORTED and not whole:
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().select(self.currentIndex(), flags.ClearAndSelect | flags.Rows)

    # ------------------------------------------------------------------ hands
    def scrollTo(
        self,
        index: Index,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        """Bring a row into sight; sideways the list stays where it is."""
        bar = self.horizontalScrollBar()
        before = bar.value()
        super().scrollTo(index, hint)
        bar.setValue(before)

    def resizeEvent(self, event: QResizeEvent) -> None:
        current = self.currentIndex()
        y = self.rowViewportPosition(current.row()) if current.isValid() else -1
        super().resizeEvent(event)
        if 0 <= y < event.oldSize().height():  # what was in sight stays in sight
            self.scrollTo(current)
        self.fit_columns()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Take the focus; where the open feature is not listed, it stays the open one.

        Qt makes the first row the current one. The first arrow key does so, too.
        """
        if self.currentIndex().isValid():
            super().focusInEvent(event)
            return
        with QSignalBlocker(self.selectionModel()):
            super().focusInEvent(event)
            self.selectionModel().clearCurrentIndex()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        editing = self.state() == QAbstractItemView.State.EditingState
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not editing:
            self.leftWithReturn.emit()
        elif event.key() == Qt.Key.Key_F2 and self.currentIndex().isValid() and not editing:
            self.edit_label()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and not editing:
            last = self.model().rowCount() - 1
            self._go_to(0 if event.key() == Qt.Key.Key_Home else last, extend=bool(shift))
        else:
            super().keyPressEvent(event)
            if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not editing:
                self.reveal(self.currentIndex().column())

    def _go_to(self, row: int, *, extend: bool) -> None:
        """Make a row the current one; with `extend` the rows up to it are selected too."""
        target, flags = self.model().index(row, NUMBER), QItemSelectionModel.SelectionFlag
        if extend and self.currentIndex().isValid():
            between = QItemSelection(self.currentIndex(), target)
            self.selectionModel().select(between, flags.Select | flags.Rows)
            self.selectionModel().setCurrentIndex(target, flags.NoUpdate)
        else:
            self.selectionModel().setCurrentIndex(target, flags.ClearAndSelect | flags.Rows)

    def commit_edit(self) -> None:
        """Save a label that is being edited in place, for the feature it was typed for."""
        if self.state() == QAbstractItemView.State.EditingState:
            for editor in self.viewport().findChildren(QLineEdit):
                self.commitData(editor)
                self.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)

    def edit_label(self) -> None:
        """Edit the current row's label in place."""
        index = self.currentIndex().siblingAtColumn(LABEL)
        if index.isValid():
            self.setCurrentIndex(index)
            self.reveal(LABEL)
            self.edit(index)
