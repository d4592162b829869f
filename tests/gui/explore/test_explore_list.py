"""The list of the Explore workspace: filters, ranges, sorting, columns, lists."""

from __future__ import annotations

import msgspec
import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.list.feature_list import FeatureListPanel
from sae_desktop.gui.explore.list.feature_table import (
    DENSITY,
    FEATURE_ROLE,
    MAXIMUM,
    NUMBER,
    STAR,
    TABLE_COLUMNS,
)
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings


# ---------------------------------------------------------------- list
def test_list__built_late_shows_the_feature_that_is_open(qtbot: QtBot, session: Session) -> None:
    session.select_feature(17)
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    assert panel.list.table.currentIndex().data(FEATURE_ROLE) == 17
    assert panel.page.title.number.text() == "#17"


def test_arrow_keys__turn_the_page(panel: ExplorePanel, session: Session) -> None:
    table = panel.list.table
    table.setFocus()
    session.select_feature(0)
    for _ in range(3):
        QTest.keyClick(table, Qt.Key.Key_Down)
    assert session.feature == 3
    assert panel.page.title.number.text() == "#3"
    QTest.keyClick(table, Qt.Key.Key_Up)
    assert panel.page.title.number.text() == "#2"


def test_arrow_keys__leave_one_step_in_the_history(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    session.enter_workspace("explore")
    session.select_feature(40)
    for _ in range(4):
        QTest.keyClick(panel.list.table, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: session.history.current.feature == 44, timeout=5000)
    session.go_back()
    assert session.feature == 40


def test_filter__keeps_the_open_feature_where_it_was(panel: ExplorePanel, session: Session) -> None:
    table = panel.list.table
    session.select_feature(50)
    row = panel.list.model.row_of(50)
    assert row is not None
    before = table.rowViewportPosition(row)
    panel.list.bar.alive.click()
    row = panel.list.model.row_of(50)
    assert row is not None
    assert table.currentIndex().row() == row
    assert table.rowViewportPosition(row) == before
    assert session.feature == 50


def test_filter__that_hides_the_open_feature_leaves_its_page(
    panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(50)
    panel.list.search.setText("3")
    panel.list.apply_filter()
    assert panel.list.model.row_of(50) is None
    assert session.feature == 50
    assert "of 64 features" in panel.list.count.text()
    panel.list.bar.clear.click()
    assert panel.list.table.currentIndex().data(FEATURE_ROLE) == 50


def test_score__that_comes_or_goes_with_a_label_moves_nothing_in_the_list(
    panel: ExplorePanel, session: Session
) -> None:
    table = panel.list.table
    before = table.shown_columns()
    session.index.columns["label_score"] = np.ones(session.index.features, np.float32)
    session.columnMade.emit("label_score")
    assert table.shown_columns() == before
    assert not table.columns_chosen
    assert table.horizontalScrollBar().value() == 0


def test_sort__keeps_the_selection(panel: ExplorePanel, session: Session) -> None:
    session.select_feature(20)
    panel.list.table.sortByColumn(DENSITY, Qt.SortOrder.DescendingOrder)
    assert panel.list.table.currentIndex().data(FEATURE_ROLE) == 20
    assert session.feature == 20


def test_range__bounds_the_list_and_shows_as_a_chip(panel: ExplorePanel) -> None:
    range_ = panel.list.range
    assert range_.column.currentData() == "density"
    QTest.keyClick(range_.histogram, Qt.Key.Key_Left)
    QTest.keyClick(range_.histogram, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    panel.list.apply_filter()
    bounds = range_.bounds()
    assert bounds.least is not None
    assert bounds.most is not None
    density = panel.list.model.index_shown.columns["density"]  # type: ignore[union-attr]
    expected = np.flatnonzero((density >= bounds.least) & (density <= bounds.most))
    assert sorted(panel.list.model.listed.tolist()) == expected.tolist()
    assert 0 < len(expected) < 64
    chips = panel.list.bar.chips.findChildren(QToolButton)
    assert next(chip.text() for chip in chips if not chip.isHidden()).startswith("Density ")
    chips[0].click()
    assert panel.list.model.rowCount() == 64
    assert panel.list.range.bounds().least is None


def test_range__is_dragged_with_the_mouse(panel: ExplorePanel) -> None:
    histogram = panel.list.range.histogram
    histogram.resize(300, histogram.height())
    QTest.mousePress(histogram, Qt.MouseButton.LeftButton, pos=QPoint(round(histogram._x(64)), 20))
    QTest.mouseMove(histogram, QPoint(round(histogram._x(32)), 20))
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(histogram._x(32), 20), QPointF(histogram._x(32), 20),
        Qt.MouseButton.LeftButton, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(histogram, event)
    QTest.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=QPoint(0, 20))
    assert (histogram.low, histogram.high) == (0, 32)
    panel.list.apply_filter()
    assert panel.list.model.rowCount() < 64


def test_context_search__lists_the_features_that_fire_near_the_words(
    qtbot: QtBot, panel: ExplorePanel
) -> None:
    panel.list.bar.choose_scope("context")
    panel.list.search.setText("LORD SAID")
    panel.list.apply_filter()
    qtbot.waitUntil(lambda: 0 < panel.list.model.rowCount() < 64, timeout=5000)
    assert 0 in panel.list.model.listed
    assert 3 not in panel.list.model.listed  # fires on Arabic alone
    QTest.keyClick(panel.list.search, Qt.Key.Key_Return)
    assert panel.list.search.text() == ""
    assert panel.list.conditions().context == "LORD SAID"


def test_features_requested__are_listed_alone_in_their_order(
    panel: ExplorePanel, session: Session
) -> None:
    session.featuresRequested.emit(FeatureSet("Lasso", np.array([30, 4, 17])))
    assert panel.list.model.listed.tolist() == [30, 4, 17]
    assert session.feature == 30
    FeatureNotes.of(session).set_stars(np.array([17]), True)  # notes come anew
    assert panel.list.model.listed.tolist() == [30, 4, 17]
    assert "▴" not in panel.list.model.headerData(NUMBER, Qt.Orientation.Horizontal)
    panel.list.table.sortByColumn(DENSITY, Qt.SortOrder.DescendingOrder)
    densities = session.index.columns["density"][panel.list.model.listed]  # type: ignore[union-attr]
    assert (np.diff(densities) <= 0).all()
    FeatureNotes.of(session).set_stars(np.array([17]), False)
    again = session.index.columns["density"][panel.list.model.listed]  # type: ignore[union-attr]
    assert again.tolist() == densities.tolist()
    panel.list.table.sortByColumn(NUMBER, Qt.SortOrder.AscendingOrder)
    assert panel.list.model.listed.tolist() == [4, 17, 30]
    panel.list.bar.clear.click()
    assert panel.list.model.rowCount() == 64
    assert panel.list.model.headerData(NUMBER, Qt.Orientation.Horizontal) == "# ▴"


def test_kept_filter__comes_back_by_its_name(panel: ExplorePanel, session: Session) -> None:
    panel.list.set_conditions(FeatureFilter(alive_only=True, languages=("ar",)))
    listed = panel.list.model.listed.tolist()
    assert 3 in listed
    panel.list.bar._write("Arabic", msgspec.json.encode(panel.list.conditions()).decode())
    panel.list.bar.clear.click()
    panel.list.bar._fill_menu()
    actions = {a.text(): a for a in panel.list.bar.more.menu().actions()}
    actions["“Arabic”"].trigger()
    assert panel.list.model.listed.tolist() == listed
    assert panel.list.bar.alive.isChecked()


def test_lists__are_made_ordered_shown_and_undone(panel: ExplorePanel, session: Session) -> None:
    lists = KeptLists.of(session)
    assert lists.add("places", [9, 3, 7]) == 3
    assert lists.add("places", [3, 8]) == 1
    panel.lists.choose("places")
    panel.lists.members.setCurrentRow(2)
    QTest.keyClick(panel.lists.members, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    panel.lists.show_all.click()
    assert panel.list.model.listed.tolist() == [9, 7, 3, 8]
    QTest.keyClick(panel.lists.members, Qt.Key.Key_Delete)
    assert [m.feature for m in lists.read("places").members] == [9, 3, 8]  # type: ignore[union-attr]
    session.undo_stack.undo()
    session.undo_stack.undo()
    assert [m.feature for m in lists.read("places").members] == [9, 3, 7, 8]  # type: ignore[union-attr]
    panel.list.bar.clear.click()
    panel.list.set_conditions(FeatureFilter(member_of="places"))
    assert panel.list.model.listed.tolist() == [3, 7, 8, 9]


def test_columns__are_chosen_in_the_header_and_remembered(session: Session) -> None:
    settings = Settings()
    panel = FeatureListPanel(session, settings)
    panel.resize(500, 400)
    actions = {a.text(): a for a in panel.table.column_menu().actions()}
    actions["Language"].setChecked(True)
    actions["Max"].setChecked(False)
    assert not panel.table.isColumnHidden(TABLE_COLUMNS.index("language"))
    assert panel.table.isColumnHidden(MAXIMUM)
    again = FeatureListPanel(session, settings)
    assert again.table.shown_columns() == panel.table.shown_columns()
    panel.deleteLater()
    again.deleteLater()


def test_every_column__sorts_with_what_is_missing_last(panel: ExplorePanel) -> None:
    model = panel.list.model
    index = model.index_shown
    assert index is not None
    for number, name in enumerate(TABLE_COLUMNS):
        if name not in index.columns:
            continue
        for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
            model.sort(number, order)
            texts = [model.index(row, number).data() for row in range(model.rowCount())]
            named = [text for text in texts if text != "–"]
            assert texts == named + ["–"] * (len(texts) - len(named))
            if name in ("language", "source"):
                rising = sorted(named)
                falling = order == Qt.SortOrder.DescendingOrder
                assert named == (rising[::-1] if falling else rising)
            elif name != "token":
                values = index.columns[name][model.listed][: len(named)].astype(float)
                steps = np.diff(values)
                assert (steps >= 0).all() or (steps <= 0).all()


def test_search__opens_a_number_and_a_link(panel: ExplorePanel, session: Session) -> None:
    search = panel.list.search
    search.setText("33")
    QTest.keyClick(search, Qt.Key.Key_Return)
    assert session.feature == 33
    search.setText("sae-desktop:main/21")
    QTest.keyClick(search, Qt.Key.Key_Return)
    assert session.feature == 21
    assert search.text() == ""


def test_star__is_set_by_a_click_in_its_column(panel: ExplorePanel, session: Session) -> None:
    table, model = panel.list.table, panel.list.model
    index = model.index(2, STAR)
    QTest.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(index).center()
    )
    assert index.data() == "★"
    assert session.notes is not None
    assert session.notes.all("dict")[2].starred


def test_label__is_edited_in_place_with_f2(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    table = panel.list.table
    session.select_feature(8)
    QTest.keyClick(table, Qt.Key.Key_F2)
    editor = table.viewport().findChild(type(panel.list.search))
    assert editor is not None
    QTest.keyClicks(editor, "eighth")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: FeatureNotes.of(session).label(8) == "eighth", timeout=5000)
    assert table.selectionModel().isRowSelected(8)
