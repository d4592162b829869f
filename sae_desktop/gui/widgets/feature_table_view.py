"""The table of features: one row a feature, all rows of one height, columns to choose from."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView

from sae_desktop.gui.item_models.feature_table import (
    DENSITY,
    LABEL,
    MAXIMUM,
    MEAN,
    NUMBER,
    STAR,
    TABLE_COLUMNS,
    FeatureTableModel,
    column_tip,
    column_title,
)

SHOWN_AT_FIRST = (STAR, NUMBER, LABEL, DENSITY, MAXIMUM, MEAN)
_ALWAYS = (NUMBER, LABEL)
_MEAN_FROM = 420
"""Narrower than this the list gives the mean's room to the labels, unless it was asked for."""
_LEAST_LABEL = 120
_WIDEST = {
    "starred": "★ ▾",
    "feature": "0000000",
    "density": "00.0000%",
    "firings": "0,000,000",
    "language": "Language ▾",
    "source": "python-stdlib",
    "token": "internationally",
    "note": "What somebody remarked",
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
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName("Features")
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(16)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 10)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(24)
        columns.setSectionsMovable(False)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        columns.customContextMenuRequested.connect(self._on_header_menu_requested)

    def _on_range_changed(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > low)

    # ------------------------------------------------------------------ columns
    def shown_columns(self) -> list[str]:
        """Return the names of the columns that were chosen."""
        return [TABLE_COLUMNS[column] for column in sorted(self._shown)]

    def show_columns(self, names: list[str]) -> None:
        """Show these columns, and those that no list is without."""
        known = {name: column for column, name in enumerate(TABLE_COLUMNS)}
        self._shown = {known[name] for name in names if name in known} | set(_ALWAYS)
        self._chosen = True
        self.fit_columns()

    def fit_columns(self) -> None:
        """Give the columns their widths; the label takes what is left."""
        model = self.model()
        if not isinstance(model, FeatureTableModel):
            return
        metrics = self.fontMetrics()
        taken = 0
        narrow = self.viewport().width() < _MEAN_FROM and not self._chosen
        for column, name in enumerate(TABLE_COLUMNS):
            hidden = column not in self._shown or not model.has_column(column)
            hidden |= column == MEAN and narrow
            self.setColumnHidden(column, hidden)
            if hidden or column == LABEL:
                continue
            title = f"{column_title(name)} ▾"
            widest = max((_WIDEST.get(name, "0000.00"), title), key=metrics.horizontalAdvance)
            width = metrics.horizontalAdvance(widest) + 12
            self.setColumnWidth(column, width)
            taken += width
        self.setColumnWidth(LABEL, max(self.viewport().width() - taken, _LEAST_LABEL))

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
            action.setToolTip(column_tip(name))
            action.setCheckable(True)
            action.setChecked(column in self._shown)
            action.setEnabled(isinstance(model, FeatureTableModel) and model.has_column(column))
            action.toggled.connect(lambda on, column=column: self._on_column_toggled(column, on))
        return menu

    def _on_column_toggled(self, column: int, shown: bool) -> None:
        self._shown = self._shown | {column} if shown else self._shown - {column}
        self._chosen = True
        self.fit_columns()
        self.columnsChosen.emit()

    # ------------------------------------------------------------------ hands
    def resizeEvent(self, event: QResizeEvent) -> None:
        current = self.currentIndex()
        y = self.rowViewportPosition(current.row()) if current.isValid() else -1
        super().resizeEvent(event)
        if 0 <= y < event.oldSize().height():  # what was in sight stays in sight
            self.scrollTo(current)
        self.fit_columns()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        editing = self.state() == QAbstractItemView.State.EditingState
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not editing:
            self.leftWithReturn.emit()
        elif event.key() == Qt.Key.Key_F2 and self.currentIndex().isValid() and not editing:
            self.edit_label()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and not editing and not shift:
            last = self.model().rowCount() - 1
            row = 0 if event.key() == Qt.Key.Key_Home else last
            self.setCurrentIndex(self.model().index(row, NUMBER))
        else:
            super().keyPressEvent(event)

    def edit_label(self) -> None:
        """Edit the current row's label in place."""
        index = self.currentIndex().siblingAtColumn(LABEL)
        if index.isValid():
            self.setCurrentIndex(index)
            self.edit(index)
