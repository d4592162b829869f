"""The list of features: searched, filtered, sorted, walked with the arrow keys."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.features.reader import FeatureIndex
from sae_desktop.gui import icons
from sae_desktop.gui.feature_filter import FeatureFilter
from sae_desktop.gui.feature_link import parse_feature_link
from sae_desktop.gui.feature_menu import show_feature_menu
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.item_models.feature_table import (
    DENSITY,
    LABEL,
    MAXIMUM,
    MEAN,
    NUMBER,
    STAR,
    FeatureTableModel,
)
from sae_desktop.gui.number_text import count_text
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.density_range import DensityRange
from sae_desktop.gui.widgets.labels import label, push_button

DWELL_MS = 700
"""How long one stays at a feature before the way back remembers it."""
_FILTER_PAUSE_MS = 60
_MEAN_FROM = 420
"""Narrower than this the list gives the mean's room to the labels."""


class FeatureTable(QTableView):
    """The table: one row a feature, all rows of one height."""

    leftWithReturn = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.DoubleClicked
        )
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
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

    def _on_range_changed(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > low)

    def fit_columns(self) -> None:
        """Give the columns their widths; the label takes what is left."""
        metrics = self.fontMetrics()
        header = self.horizontalHeader()
        for column, widest in (
            (STAR, "★ ▾"),
            (NUMBER, "000000"),
            (DENSITY, "00.0000%"),
            (MAXIMUM, "000.00"),
            (MEAN, "000.00"),
        ):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, metrics.horizontalAdvance(widest) + 12)
        header.setSectionResizeMode(LABEL, QHeaderView.ResizeMode.Stretch)

    def resizeEvent(self, event: QResizeEvent) -> None:
        current = self.currentIndex()
        y = self.rowViewportPosition(current.row()) if current.isValid() else -1
        super().resizeEvent(event)
        if 0 <= y < event.oldSize().height():  # what was in sight stays in sight
            self.scrollTo(current)
        self.setColumnHidden(MEAN, self.viewport().width() < _MEAN_FROM)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        editing = self.state() == QAbstractItemView.State.EditingState
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not editing:
            self.leftWithReturn.emit()
        elif event.key() == Qt.Key.Key_F2 and self.currentIndex().isValid() and not editing:
            self.edit_label()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and not editing:
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


class FeatureListPanel(QWidget):
    """Search and filter on top, the table beneath; the page follows the current row."""

    leftWithReturn = Signal()
    """Return was pressed in the table: on to the page."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("explore.list")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self.model = FeatureTableModel(self._notes, self)
        self.table = FeatureTable()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Label, number or link")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search the features")
        self.search.setToolTip("Part of a label, the beginning of a number, or a link (Ctrl+F)")
        self.alive = _toggle("Alive", "Only features that fire at all")
        self.starred = _toggle("Starred", "Only features with a star", "star")
        self.labelled = _toggle("Labelled", "Only features with a label")
        self.density = DensityRange()
        self.count = label("", "small")
        self.clear = push_button("Clear", self.clear_filter, flat=True, tip="Show all features")
        self._filter_timer = QTimer(self, singleShot=True, interval=_FILTER_PAUSE_MS)
        self._dwell = QTimer(self, singleShot=True, interval=DWELL_MS)
        self._build()
        self._connect()
        self.show_index(session.index)

    def _build(self) -> None:
        self.table.setModel(self.model)
        self.table.fit_columns()
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(NUMBER, Qt.SortOrder.AscendingOrder)
        self.table.horizontalHeader().setSortIndicatorShown(False)  # the header's text says it
        toggles = QHBoxLayout()
        toggles.setSpacing(4)
        for widget in (self.alive, self.starred, self.labelled):
            toggles.addWidget(widget)
        toggles.addStretch()
        toggles.addWidget(self.clear)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 4, 8)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addLayout(toggles)
        column.addWidget(self.density)
        column.addWidget(self.table, 1)
        column.addWidget(self.count)
        self.setMinimumWidth(320)
        self.setFocusProxy(self.table)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._filter_timer.start)
        self.search.returnPressed.connect(self._on_search_entered)
        for toggle in (self.alive, self.starred, self.labelled):
            toggle.toggled.connect(self.apply_filter)
        self.density.changed.connect(self._filter_timer.start)
        self._filter_timer.timeout.connect(self.apply_filter)
        self._dwell.timeout.connect(self._on_dwelt)
        self.table.selectionModel().currentRowChanged.connect(self._on_row_changed)
        self.table.clicked.connect(self._on_clicked)
        self.table.customContextMenuRequested.connect(self._on_menu_requested)
        self.table.leftWithReturn.connect(self.leftWithReturn)
        self._session.indexOpened.connect(self.show_index)
        self._session.projectChanged.connect(lambda: self.show_index(self._session.index))
        self._session.featureSelected.connect(self._on_feature_selected)

    # ------------------------------------------------------------------ content
    def show_index(self, index: FeatureIndex | None) -> None:
        """List another index's features and open the first starred one, else one that fires."""
        self.model.set_index(index)
        self._say_count()
        if self._session.feature is not None:
            self._make_current(self._session.feature)
        elif index is not None and self.model.rowCount():
            self.table.setCurrentIndex(self.model.index(self._first_row(), NUMBER))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # A feature chosen before there was a height to scroll in.
        QTimer.singleShot(0, self, self._reveal_current)

    def _reveal_current(self) -> None:
        if self.table.currentIndex().isValid():
            self.table.scrollTo(self.table.currentIndex())

    def _first_row(self) -> int:
        starred = (self.model.row_of(feature) for feature in sorted(self._notes.stars()))
        fires = (r for r in range(min(self.model.rowCount(), 500)) if self._fires(r))
        return next((row for row in starred if row is not None), next(fires, 0))

    def _fires(self, row: int) -> bool:
        index = self._session.index
        return index is not None and index.columns["density"][self.model.feature_at(row)] > 0

    def conditions(self) -> FeatureFilter:
        """Return what the fields ask for."""
        text = self.search.text()
        least, most = self.density.bounds()
        return FeatureFilter(
            text="" if parse_feature_link(text) else text,
            least_density=least,
            most_density=most,
            alive_only=self.alive.isChecked(),
            starred_only=self.starred.isChecked(),
            labelled_only=self.labelled.isChecked(),
        )

    def apply_filter(self) -> None:
        """List what the fields ask for; the open feature keeps its place on the screen."""
        self._filter_timer.stop()
        feature = self._session.feature
        before = None if feature is None else self._place_on_screen(feature)
        self.model.set_filter(self.conditions())
        self._say_count()
        if feature is not None:
            self._make_current(feature)
            after = self._place_on_screen(feature)
            bar = self.table.verticalScrollBar()
            if before is None or after is None:
                bar.setValue(0)
            else:
                bar.setValue(bar.value() + after - before)

    def clear_filter(self) -> None:
        """List all features again."""
        self.search.clear()
        for toggle in (self.alive, self.starred, self.labelled):
            toggle.setChecked(False)
        self.density.reset()
        self.apply_filter()

    def _say_count(self) -> None:
        shown, total = self.model.rowCount(), self.model.total
        whole = shown == total
        self.count.setText(
            f"{count_text(total)} features"
            if whole
            else f"{count_text(shown)} of {count_text(total)} features"
        )
        self.clear.setEnabled(self.conditions() != FeatureFilter())

    # ------------------------------------------------------------------ the current row
    def _place_on_screen(self, feature: int) -> int | None:
        """Return the row's distance from the top of the view; None when it is not in sight."""
        row = self.model.row_of(feature)
        if row is None:
            return None
        y = self.table.rowViewportPosition(row)
        return y if 0 <= y < self.table.viewport().height() else None

    def _make_current(self, feature: int) -> None:
        row = self.model.row_of(feature)
        selection = self.table.selectionModel()
        if row is None:
            selection.clear()
            return
        column = max(self.table.currentIndex().column(), 0)
        flags = QItemSelectionModel.SelectionFlag
        index = self.model.index(row, column)
        selection.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)

    def _on_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            feature = self.model.feature_at(current.row())
            if feature != self._session.feature:
                self._session.select_feature(feature, remember=False)
                self._dwell.start()

    def _on_dwelt(self) -> None:
        if self._session.feature is not None:
            self._session.select_feature(self._session.feature)

    def _on_feature_selected(self, feature: int) -> None:
        row = self.model.row_of(feature)
        current = self.table.currentIndex()
        if row is not None and current.isValid() and current.row() == row:
            return
        self._make_current(feature)
        if row is not None:
            self.table.scrollTo(self.model.index(row, NUMBER))

    # ------------------------------------------------------------------ hands
    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() == STAR:
            feature = self.model.feature_at(index.row())
            self._notes.set_starred(feature, not self._notes.starred(feature))

    def _on_menu_requested(self, point: QPoint) -> None:
        index = self.table.indexAt(point)
        if index.isValid():
            feature = self.model.feature_at(index.row())
            place = self.table.viewport().mapToGlobal(point)
            show_feature_menu(self._session, feature, self.table, place)

    def _on_search_entered(self) -> None:
        link = parse_feature_link(self.search.text())
        if link is not None:
            index, feature = link
            if index == self._session.index_name or self._session.open_index(index):
                self.search.clear()
                self._session.select_feature(feature)
            return
        self.apply_filter()
        if self.model.rowCount():
            number = self.search.text().strip().removeprefix("#")
            row = self.model.row_of(int(number)) if number.isdecimal() else 0
            self.table.setCurrentIndex(self.model.index(row or 0, NUMBER))
            self.table.setFocus()


def _toggle(text: str, tip: str, icon: str = "") -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if icon:
        icons.set_icon(button, icon)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button
