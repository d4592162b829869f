"""The list of features: searched, filtered, sorted, walked with the arrow keys."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy.typing as npt
from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.features.reading.filter import FeatureFilter, read_first
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.list.column_range import ColumnRange
from sae_desktop.gui.explore.list.feature_table import (
    NUMBER,
    STAR,
    TABLE_COLUMNS,
    FeatureTableModel,
)
from sae_desktop.gui.explore.list.feature_table_view import FeatureTable
from sae_desktop.gui.explore.list.filter_bar import FilterBar
from sae_desktop.gui.explore.list.filter_words import MEANING
from sae_desktop.gui.explore.list.meaning_listing import MeaningListing
from sae_desktop.gui.parts.feature_menu import show_feature_menu, show_features_menu
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_export import FeatureExport
from sae_desktop.gui.state.feature_link import parse_feature_link
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.meaning_search import MeaningSearch
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.words.amounts import exact_count

DWELL_MS = 700
"""How long one stays at a feature before the way back remembers it."""
_FILTER_PAUSE_MS = 60
_MOST_SELECTED = 1_000
"""Selected features that are selected again the next time."""


class FeatureListPanel(QWidget):
    """Search and filter on top, the table beneath; the page follows the current row."""

    leftWithReturn = Signal()
    """Return was pressed in the table: on to the page."""

    def __init__(self, session: Session, settings: Settings | None = None) -> None:
        super().__init__()
        self.setObjectName("explore.list")
        self._session = session
        self._settings = settings or Settings()
        self._notes = FeatureNotes.of(session)
        self.model = FeatureTableModel(self._notes, self)
        self.table = FeatureTable()
        self.bar = FilterBar(session)
        self.search = self.bar.search
        self.range = ColumnRange()
        self.count = label("", "small")
        self.export = FeatureExport.of(session)
        self.export_button = push_button(
            "Export…",
            self.export_listed,
            icon="export",
            flat=True,
            tip="Export the selected features, or all that are listed, as a table, a page or "
            "batches (Ctrl+E)",
        )
        self.compare_button = push_button(
            "Compare",
            self.compare_selected,
            icon="columns",
            flat=True,
            tip="Put the selected features side by side; a single one is pinned, and every feature "
            "you open then stands beside it (Ctrl+Shift+M)",
        )
        self.meaning = MeaningListing(session)
        self._reading = Background(self)
        self._filter_timer = QTimer(self, singleShot=True, interval=_FILTER_PAUSE_MS)
        self._dwell = QTimer(self, singleShot=True, interval=DWELL_MS)
        self._build()
        self._connect()
        self.show_index(session.index)
        session.place.add(self, self._kept_columns, self._give_columns, part="columns")
        session.place.add(self, self._kept, self._give, of_index=True)

    def _build(self) -> None:
        self.table.setModel(self.model)
        self.table.fit_columns()
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(NUMBER, Qt.SortOrder.AscendingOrder)
        self.table.horizontalHeader().setSortIndicatorShown(False)  # the header's text says it
        if self._settings.list_columns:
            self.table.show_columns(self._settings.list_columns)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.count, 1)
        foot.addWidget(self.compare_button)
        foot.addWidget(self.export_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 4, 4)
        column.setSpacing(8)
        column.addWidget(self.bar)
        column.addWidget(self.meaning)
        column.addWidget(self.range)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        self.setFocusProxy(self.table)

    def _connect(self) -> None:
        self.bar.edited.connect(self._filter_timer.start)
        self.bar.toggled.connect(self.apply_filter)
        self.bar.scopeChosen.connect(self.meaning.choose)
        self.meaning.answered.connect(self.apply_filter)
        MeaningSearch.of(self._session).requested.connect(self.search_by_meaning)
        self.search.returnPressed.connect(self._on_search_entered)
        self.range.changed.connect(self._on_range_changed)
        self.range.column.currentIndexChanged.connect(self._on_column_chosen)
        self._filter_timer.timeout.connect(self.apply_filter)
        self._reading.answered.connect(self.apply_filter)
        self._dwell.timeout.connect(self._on_dwelt)
        self.table.selectionModel().currentRowChanged.connect(self._on_row_changed)
        self.table.selectionModel().selectionChanged.connect(self._say_count)
        self.table.clicked.connect(self._on_clicked)
        self.table.customContextMenuRequested.connect(self._on_menu_requested)
        self.table.leftWithReturn.connect(self.leftWithReturn)
        self.table.columnsChosen.connect(self._on_columns_chosen)
        self.table.horizontalHeader().sectionClicked.connect(self._on_header_clicked)
        self.model.modelReset.connect(self._on_listed)
        self._session.leaving.connect(self.table.commit_edit)
        self._session.indexOpened.connect(self.show_index)
        self._session.projectChanged.connect(lambda: self.show_index(self._session.index))
        self._session.featureSelected.connect(self._on_feature_selected)
        self._session.featuresRequested.connect(self.show_only)
        self._session.columnMade.connect(self._on_column_made)

    # ------------------------------------------------------------------ content
    def show_index(self, index: FeatureIndex | None) -> None:
        """List another index's features and open the first starred one, else one that fires."""
        self.bar.set_index(index)
        self.range.set_index(index)
        self.model.set_index(index)
        self.table.fit_columns()
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
        starred = (self.model.row_of(int(f)) for f in self._notes.starred_features()[:500])
        fires = (r for r in range(min(self.model.rowCount(), 500)) if self._fires(r))
        return next((row for row in starred if row is not None), next(fires, 0))

    def _fires(self, row: int) -> bool:
        index = self._session.index
        return index is not None and index.columns["density"][self.model.feature_at(row)] > 0

    def conditions(self) -> FeatureFilter:
        """Return what the fields ask for."""
        asked = self.bar.conditions()
        if parse_feature_link(asked.text):
            asked = msgspec.structs.replace(asked, text="")
        return asked

    def set_conditions(self, conditions: FeatureFilter) -> None:
        """Ask for these conditions in all fields."""
        self.bar.set_conditions(conditions)
        self.apply_filter()

    def search_by_meaning(self, text: str) -> None:
        """Search this by meaning alone; empty: what is typed, with the keyboard in the field."""
        if text:
            self.bar.set_only(None)
            self.bar.set_conditions(FeatureFilter())
        self.bar.choose_scope(MEANING)
        if text:
            self.search.setText(text)
        self.apply_filter()
        self.search.setFocus()

    def show_conditions(self, conditions: FeatureFilter) -> None:
        """List what meets these conditions alone, and open the first of it."""
        self.bar.set_only(None)
        self.set_conditions(conditions)
        if self.model.rowCount():
            self.table.setCurrentIndex(self.model.index(0, NUMBER))

    def show_only(self, features: FeatureSet | None) -> None:
        """List these features alone, in their order; None: whatever the other fields ask for."""
        if features is not None:
            self.bar.set_conditions(FeatureFilter())
        self.bar.set_only(features)
        self.apply_filter()
        if features is not None and self.model.rowCount():
            self.table.setCurrentIndex(self.model.index(0, NUMBER))

    def apply_filter(self, _answer: object = None) -> None:
        """List what the fields ask for; the open feature keeps its place on the screen."""
        self._filter_timer.stop()
        conditions, index = self.conditions(), self._session.index
        if index is not None and (work := read_first(index, conditions)) is not None:
            self.count.setText("Reading the text…")
            self._reading.run((index, conditions), work)
            return
        only = self.meaning.among(self.bar, conditions)
        feature = self._session.feature
        before = None if feature is None else self._place_on_screen(feature)
        self.model.hits = self.meaning.hits
        try:
            self.model.set_filter(conditions, only)
        except UserError as error:
            self._session.show_error(error)
            return
        self._say_count()
        if feature is not None:
            self._make_current(feature)
            after = self._place_on_screen(feature)
            bar = self.table.verticalScrollBar()
            if before is None or after is None:
                bar.setValue(0)
            else:
                bar.setValue(bar.value() + after - before)

    # ------------------------------------------------------------------ kept with the project
    def _kept_columns(self) -> dict[str, Any]:
        return {
            "shown": self.table.shown_columns() if self.table.columns_chosen else [],
            "sorted": TABLE_COLUMNS[self.model.sort_column],
            "falling": self.model.sort_falling,
            "range": self.range.column.currentData(),
        }

    def _give_columns(self, kept: dict[str, Any]) -> None:
        if kept["shown"]:
            self.table.show_columns(kept["shown"])
        if kept["sorted"] in TABLE_COLUMNS:
            order = Qt.SortOrder.DescendingOrder if kept["falling"] else Qt.SortOrder.AscendingOrder
            self.table.sortByColumn(TABLE_COLUMNS.index(kept["sorted"]), order)
        self.range.choose(kept["range"])

    def _kept(self) -> dict[str, Any]:
        selected = self.selected_features()
        several = 1 < len(selected) <= _MOST_SELECTED
        return {**self.bar.kept(), "selected": selected.tolist() if several else []}

    def _give(self, kept: dict[str, Any]) -> None:
        self.bar.give(kept)
        self.apply_filter()
        flags = QItemSelectionModel.SelectionFlag
        for feature in kept["selected"]:
            row = self.model.row_of(feature)
            if row is not None:
                index = self.model.index(row, NUMBER)
                self.table.selectionModel().select(index, flags.Select | flags.Rows)

    def _on_listed(self) -> None:
        self.range.set_ranges(self.model.filter.ranges)
        self._on_column_chosen()

    def _say_count(self, *_selection: object) -> None:
        shown, total = self.model.rowCount(), self.model.total
        text = f"{exact_count(total)} features"
        if shown != total:
            found = f"The {exact_count(shown)} nearest" if self.meaning.hits else exact_count(shown)
            text = f"{found} of {text}" if shown else self.meaning.why_none()
        selected = self.table.count_selected()
        self.count.setText(f"{text} · {exact_count(selected)} selected" if selected > 1 else text)
        self.export_button.setEnabled(shown > 0)
        self.compare_button.setEnabled(shown > 0)

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
        column = max(self.table.currentIndex().column(), NUMBER)
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

    def selected_features(self) -> npt.NDArray[Any]:
        """Return the selected features in the order of the rows."""
        return self.model.listed[self.table.selected_rows()]

    def listed_or_selected(self) -> npt.NDArray[Any]:
        """Return the selected features; where it is one or none, all that are listed."""
        selected = self.selected_features()
        return selected if len(selected) > 1 else self.model.listed

    # ------------------------------------------------------------------ hands
    def _on_range_changed(self, bounds: object) -> None:
        self.bar.set_range(bounds)
        self._filter_timer.start()

    def _on_column_chosen(self) -> None:
        whole = self.model.rowCount() == self.model.total
        self.range.set_listed(None if whole else self.model.listed)

    def _on_header_clicked(self, column: int) -> None:
        self.range.choose(TABLE_COLUMNS[column])

    def _on_columns_chosen(self) -> None:
        self._settings.list_columns = self.table.shown_columns()

    def _on_column_made(self, name: str) -> None:
        """Show a column that a job has just made."""
        self.range.set_index(self._session.index)
        self.range.set_ranges(self.model.filter.ranges)
        self.table.fit_columns()
        self.table.show_made(name)

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() == STAR:
            feature = self.model.feature_at(index.row())
            self._notes.set_starred(feature, not self._notes.starred(feature))

    def _on_menu_requested(self, point: QPoint) -> None:
        index = self.table.indexAt(point)
        if not index.isValid():
            return
        place = self.table.viewport().mapToGlobal(point)
        selected = self.selected_features()
        feature = self.model.feature_at(index.row())
        if len(selected) > 1 and feature in selected:
            show_features_menu(self._session, selected, self.table, place, self.export_listed)
        else:
            show_feature_menu(self._session, feature, self.table, place)

    def compare_selected(self) -> None:
        """Put the selected features side by side; pin a single one, for another to come."""
        compared, selected = Compared.of(self._session), self.selected_features().tolist()
        feature = self._session.feature
        if len(selected) > 1:
            compared.show(selected)
        elif feature is not None:
            if len(compared.features) < 2:
                compared.pin(feature)
            compared.show(compared.features)

    def export_listed(self) -> None:
        """Ask for a file and write the selected features to it; of one or none, all listed."""
        self.export.ask(self.listed_or_selected(), self)

    def _on_search_entered(self) -> None:
        link = parse_feature_link(self.search.text())
        if link is not None:
            self.search.clear()
            self._session.go_to_feature(*link)
            return
        self.apply_filter()
        if self.model.rowCount() and not (self.bar.meant and not self.meaning.hits):
            number = self.search.text().strip().removeprefix("#")
            row = self.model.row_of(int(number)) if number.isdecimal() else 0
            self.table.setCurrentIndex(self.model.index(row or 0, NUMBER))
            self.table.setFocus()
