"""The table of features."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sae_desktop.features.reading.columns import COLUMNS
from sae_desktop.features.reading.effect_file import EffectInfo, write_effects
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.features.reading.names_file import NO_NAMES
from sae_desktop.gui.explore.list.feature_table import (
    DENSITY,
    FEATURE_ROLE,
    LABEL,
    MAXIMUM,
    MEAN,
    NUMBER,
    STAR,
    TABLE_COLUMNS,
    FeatureTableModel,
    column_title,
)
from sae_desktop.gui.explore.list.feature_table_view import FeatureTable
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_notes import FeatureNote
from sae_desktop.steering.effect_config import OutputEffectConfig, OutputEffectResult

DOWN, UP = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder


@pytest.fixture
def model(session: Session) -> FeatureTableModel:
    model = FeatureTableModel(FeatureNotes.of(session))
    model.set_index(session.index)
    return model


def _features(model: FeatureTableModel) -> list[int]:
    return [model.feature_at(row) for row in range(model.rowCount())]


def test_model__keeps_qts_rules(qtmodeltester: ModelTester, model: FeatureTableModel) -> None:
    qtmodeltester.check(model)
    model.sort(DENSITY, DOWN)
    qtmodeltester.check(model)
    model.set_filter(FeatureFilter(text="1"))
    qtmodeltester.check(model)
    model.set_index(None)
    qtmodeltester.check(model)


def test_sort__orders_by_the_figures(model: FeatureTableModel, session: Session) -> None:
    model.sort(MAXIMUM, DOWN)
    assert session.index is not None
    maxima = session.index.columns["max_activation"][_features(model)]
    assert (np.diff(maxima) <= 0).all()
    model.sort(NUMBER, UP)
    assert _features(model) == list(range(session.index.features))


def test_sort__takes_what_is_held_along(model: FeatureTableModel) -> None:
    held = QPersistentModelIndex(model.index(7, LABEL))
    model.sort(DENSITY, DOWN)
    assert held.isValid()
    assert held.data(FEATURE_ROLE) == 7
    assert held.column() == LABEL


def test_densities__have_two_digits_and_stand_right(
    model: FeatureTableModel, session: Session
) -> None:
    assert session.index is not None
    for feature, share in enumerate(session.index.columns["density"]):
        text = model.index(feature, DENSITY).data()
        assert len(text.rstrip("%").replace(".", "").lstrip("0")) <= 2 or share >= 0.099
        assert float(text.rstrip("%")) == pytest.approx(100 * share, rel=0.05)
    flags = model.index(0, MAXIMUM).data(Qt.ItemDataRole.TextAlignmentRole)
    assert flags & Qt.AlignmentFlag.AlignRight


def test_label__is_saved_undone_and_redone(model: FeatureTableModel, session: Session) -> None:
    index = model.index(3, LABEL)
    assert index.flags() & Qt.ItemFlag.ItemIsEditable
    assert model.setData(index, "  Golden \n Gate ")
    assert index.data() == "Golden Gate"
    assert session.notes is not None
    assert session.notes.all("dict")[3].label == "Golden Gate"
    session.undo_stack.undo()
    assert index.data() == ""
    assert session.notes.all("dict")[3].label == ""
    session.undo_stack.redo()
    assert index.data() == "Golden Gate"
    assert not model.setData(model.index(3, NUMBER), "x")


def test_filter__by_label_star_and_life(model: FeatureTableModel, session: Session) -> None:
    notes = FeatureNotes.of(session)
    notes.set_label(9, "Golden Gate")
    notes.set_starred(11, True)
    model.set_filter(FeatureFilter(text="golden"))
    assert _features(model) == [9]
    model.set_filter(FeatureFilter(starred_only=True))
    assert _features(model) == [11]
    assert model.index(0, STAR).data() == "★"
    model.set_filter(FeatureFilter(alive_only=True))
    assert 5 not in _features(model)
    assert model.row_of(5) is None
    assert model.total == 64


def test_row__stays_when_its_label_no_longer_fits_the_filter(
    model: FeatureTableModel, session: Session
) -> None:
    FeatureNotes.of(session).set_label(9, "Golden Gate")
    model.set_filter(FeatureFilter(text="golden"))
    model.setData(model.index(0, LABEL), "Bridge")
    assert _features(model) == [9]


def test_header__says_how_it_is_sorted(model: FeatureTableModel) -> None:
    model.sort(DENSITY, DOWN)
    header = model.headerData(DENSITY, Qt.Orientation.Horizontal)
    assert header == "Density ▾"
    assert model.headerData(NUMBER, Qt.Orientation.Horizontal) == "#"


def _million(session: Session) -> tuple[FeatureTableModel, dict[str, np.ndarray]]:
    count = 1_000_000
    random = np.random.default_rng(0)
    columns = {
        name: random.random(count, dtype=np.float32)
        for name in ("density", "max_activation", "mean_activation")
    }
    model = FeatureTableModel(FeatureNotes.of(session))
    index = SimpleNamespace(columns=columns, features=count, short_names=lambda: NO_NAMES)
    model.set_index(index)  # type: ignore[arg-type]
    return model, columns


def test_million_rows__are_arrays_and_no_objects(qtbot: QtBot, session: Session) -> None:
    model, columns = _million(session)
    count = model.total
    model.sort(MAXIMUM, DOWN)
    assert model.rowCount() == count
    assert model.feature_at(0) == int(columns["max_activation"].argmax())
    assert model.row_of(model.feature_at(765_432)) == 765_432
    model.set_filter(FeatureFilter(text="77777"))
    assert sorted(_features(model)) == [77777, *range(777770, 777780)]


def test_million_rows__are_selected_painted_and_sorted_without_asking_each(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def flags(_model: FeatureTableModel, _index: object) -> Qt.ItemFlag:
        nonlocal asked
        asked += 1
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    monkeypatch.setattr(FeatureTableModel, "flags", flags)
    model, _ = _million(session)
    table = FeatureTable()
    qtbot.addWidget(table)
    table.setModel(model)
    table.resize(500, 400)
    table.show()
    table.selectAll()
    table.grab()  # paints the header too
    assert table.count_selected() == model.total
    assert (table.selected_rows() == np.arange(model.total)).all()
    model.sort(MAXIMUM, DOWN)
    assert table.count_selected() == model.total
    assert asked < 10_000

    table.setCurrentIndex(model.index(7, NUMBER))
    qtbot.keyClick(table, Qt.Key.Key_End, Qt.KeyboardModifier.ShiftModifier)
    assert table.currentIndex().row() == model.total - 1
    assert (table.selected_rows() == np.arange(7, model.total)).all()
    last = model.feature_at(model.total - 1)
    model.sort(NUMBER, UP)
    assert [model.feature_at(row) for row in table.selected_rows()] == [last]
    assert asked < 20_000


def test_few_selected_rows__go_along_when_sorted(qtbot: QtBot, model: FeatureTableModel) -> None:
    table = FeatureTable()
    qtbot.addWidget(table)
    table.setModel(model)
    table.setCurrentIndex(model.index(3, NUMBER))
    qtbot.keyClick(table, Qt.Key.Key_Home, Qt.KeyboardModifier.ShiftModifier)
    assert sorted(model.feature_at(row) for row in table.selected_rows()) == [0, 1, 2, 3]
    model.sort(DENSITY, DOWN)
    assert sorted(model.feature_at(row) for row in table.selected_rows()) == [0, 1, 2, 3]


def test_columns__are_all_that_an_index_may_hold() -> None:
    places = {"map_x", "map_y"}
    assert {info.name for info in COLUMNS} - set(TABLE_COLUMNS) == places


@pytest.fixture
def table(qtbot: QtBot, model: FeatureTableModel) -> FeatureTable:
    table = FeatureTable()
    qtbot.addWidget(table)
    table.setModel(model)
    table.resize(420, 300)
    table.show()
    qtbot.waitExposed(table)
    return table


def test_column__that_is_chosen_comes_into_sight(table: FeatureTable) -> None:
    table.show_columns(["starred", "feature", "label", "density", "firings", "skewness"])
    column = TABLE_COLUMNS.index("kurtosis")
    action = next(a for a in table.column_menu().actions() if a.text() == "Kurtosis")
    action.setChecked(True)
    left = table.columnViewportPosition(column)
    assert not table.isColumnHidden(column)
    assert left >= 0
    assert left + table.columnWidth(column) <= table.viewport().width()


def test_selection__that_moves_never_scrolls_the_list_sideways(
    qtbot: QtBot, table: FeatureTable, model: FeatureTableModel
) -> None:
    table.show_columns([*TABLE_COLUMNS[:6], "firings", "skewness", "kurtosis"])
    table.updateGeometries()
    bar = table.horizontalScrollBar()
    assert bar.maximum() > 0
    table.setCurrentIndex(model.index(40, MAXIMUM))
    table.setCurrentIndex(model.index(60, TABLE_COLUMNS.index("kurtosis")))
    assert bar.value() == 0
    assert table.visualRect(table.currentIndex()).top() < table.viewport().height()
    bar.setValue(bar.maximum())
    table.setCurrentIndex(model.index(0, NUMBER))
    assert bar.value() == bar.maximum()


def test_list__scrolls_sideways_where_the_hand_asks_for_it(
    qtbot: QtBot, table: FeatureTable, model: FeatureTableModel
) -> None:
    table.show_columns([*TABLE_COLUMNS[:6], "firings", "skewness", "kurtosis"])
    bar = table.horizontalScrollBar()
    table.setCurrentIndex(model.index(3, NUMBER))
    for _ in range(len(TABLE_COLUMNS)):
        qtbot.keyClick(table, Qt.Key.Key_Right)
    assert bar.value() == bar.maximum()
    table.edit_label()
    assert 0 <= table.columnViewportPosition(LABEL) < table.viewport().width()


def test_name__has_most_of_a_narrow_list_until_columns_are_chosen(table: FeatureTable) -> None:
    table.resize(362, 300)
    width = table.viewport().width()
    assert table.columnWidth(LABEL) > width / 2
    assert table.isColumnHidden(MAXIMUM)
    assert not table.horizontalScrollBar().maximum()
    title = column_title("max_activation")
    action = next(a for a in table.column_menu().actions() if a.text() == title)
    assert not action.isChecked()
    action.setChecked(True)
    assert not table.isColumnHidden(MAXIMUM)
    assert table.isColumnHidden(MEAN)
    table.resize(900, 300)
    table.resize(362, 300)
    assert not table.isColumnHidden(MAXIMUM)


def test_columns__keep_the_order_they_were_dragged_into(table: FeatureTable, qtbot: QtBot) -> None:
    header = table.horizontalHeader()
    assert header.sectionsMovable()
    with qtbot.waitSignal(table.columnsChosen):
        header.moveSection(header.visualIndex(MAXIMUM), 1)
    kept = table.shown_columns()
    assert kept[:3] == ["starred", "max_activation", "feature"]
    other = FeatureTable()
    qtbot.addWidget(other)
    other.setModel(table.model())
    other.show_columns(kept)
    assert other.shown_columns() == kept


def test_output_effect__is_there_as_soon_as_it_is_measured(
    qtbot: QtBot, session: Session, client, table: FeatureTable, model: FeatureTableModel
) -> None:
    index = session.index
    column = TABLE_COLUMNS.index("output_effect")
    assert not model.has_column(column)
    job = session.run(OutputEffectConfig(project=session.project_path, index=session.index_name))
    info = EffectInfo(dictionary_hash=index.info.dictionary_hash, strength=1.0, prompts=["a"])
    effects = np.linspace(1, 0, index.features).astype(np.float32)
    write_effects(index.path, info, effects)
    result = OutputEffectResult(
        index=session.index_name, features=index.features, prompts=1, median=0.5, largest=1.0,
        seconds=1.0,
    )  # fmt: skip
    with qtbot.waitSignal(session.columnMade) as made:
        client.answer(job, result)
    table.show_column(made.args[0])
    assert not table.isColumnHidden(column)
    model.sort(column, UP)
    assert _features(model) == list(range(index.features))[::-1]


def test_screen__reads_the_notes_of_its_rows_at_once(
    model: FeatureTableModel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.notes is not None
    read, asked = session.notes.notes, []

    def notes(dictionary: str, features: Iterable[int]) -> dict[int, FeatureNote]:
        asked.append(list(features))
        return read(dictionary, asked[-1])

    monkeypatch.setattr(session.notes, "notes", notes)
    model._notes.held.clear()
    labels = [model.data(model.index(row, LABEL)) for row in range(12)]
    assert len(asked) == 1
    features = [model.feature_at(row) for row in range(12)]
    assert labels == [session.notes.note(session.index_name, f).label for f in features]
