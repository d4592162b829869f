"""Features side by side: how they come there, what is shown of them, what is pinned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from compared_index import add_compared_index
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.features.reading.comparing import compare_features
from sae_desktop.gui.explore.compare.compare_panel import ComparePanel
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.list.feature_table import NUMBER
from sae_desktop.gui.forms.job_forms import IndexForm
from sae_desktop.gui.parts.feature_menu import feature_menu
from sae_desktop.gui.state.compared import MOST, Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.words.comparing_text import (
    COLUMNS,
    pair_cells,
    pair_sentence,
    random_cells,
    source_text,
    token_row,
)


@pytest.fixture
def session(empty_session: Session, project: Project) -> Iterator[Session]:
    """A session with an index whose firings were kept."""
    add_compared_index(project, firings=True)
    assert empty_session.open_project(project.path)
    yield empty_session
    empty_session.close_project()


@pytest.fixture
def explore(panel: ExplorePanel, session: Session) -> ExplorePanel:
    """Explore as the window has it: places that are asked for are shown."""
    session.workspaceRequested.connect(lambda name: panel.places.show_place(name.partition(".")[2]))
    return panel


@pytest.fixture
def compare(explore: ExplorePanel) -> ComparePanel:
    explore.places.show_place("compare")
    return explore.compare


def counted(qtbot: QtBot, panel: ComparePanel) -> None:
    qtbot.waitUntil(lambda: panel.comparison is not None, timeout=20_000)


def select_rows(explore: ExplorePanel, *features: int) -> None:
    table, model = explore.list.table, explore.list.model
    flags = QItemSelectionModel.SelectionFlag
    first, *others = [model.index(model.row_of(feature) or 0, NUMBER) for feature in features]
    table.selectionModel().setCurrentIndex(first, flags.ClearAndSelect | flags.Rows)
    for index in others:
        table.selectionModel().select(index, flags.Select | flags.Rows)


def shown_features(panel: ComparePanel) -> list[int]:
    return [column.feature for column in panel.columns]


def choose(menu: QMenu, text: str) -> None:
    (action,) = [action for action in menu.actions() if action.text() == text]
    action.trigger()


# ---------------------------------------------------------------- how they come there
def test_empty_comparison__offers_the_open_feature_and_its_nearest(
    compare: ComparePanel, session: Session
) -> None:
    session.select_feature(9)
    nearest = session.index.neighbours(9)[0][0]
    assert compare.empty.isVisible()
    assert compare.empty.button.text() == f"Compare #9 with its nearest, #{nearest}"
    compare.empty.button.click()
    assert shown_features(compare) == [9, nearest]
    assert not compare.empty.isVisible()


def test_selection_of_the_list__stands_side_by_side_at_a_key(explore: ExplorePanel) -> None:
    select_rows(explore, 9, 20, 33)
    explore.list.compare_button.click()
    assert explore.places.place == "compare"
    assert shown_features(explore.compare) == [9, 20, 33]


def test_selection_of_too_many__compares_the_first_and_says_so(
    explore: ExplorePanel, session: Session
) -> None:
    told: list[str] = []
    session.noticeRaised.connect(told.append)
    select_rows(explore, *range(6, 13))
    explore.list.compare_selected()
    assert shown_features(explore.compare) == [6, 7, 8, 9]
    assert told == [f"{MOST} features can stand side by side: the first 4 of 7 are compared."]


def test_menu_of_a_feature__compares_it_with_the_open_one(
    explore: ExplorePanel, session: Session
) -> None:
    session.select_feature(9)
    choose(feature_menu(session, 20, explore), "Compare with feature 9, which is open")
    assert explore.places.place == "compare"
    assert shown_features(explore.compare) == [9, 20]
    choose(feature_menu(session, 33, explore), "Add to the comparison")
    assert shown_features(explore.compare) == [9, 20, 33]
    texts = [action.text() for action in feature_menu(session, 9, explore).actions()]
    assert "Add to the comparison" not in texts
    assert not any(text.startswith("Compare with") for text in texts)


def test_neighbour__is_compared_with_the_open_feature_at_a_click_with_control(
    explore: ExplorePanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.select_feature(9)
    link = explore.page.neighbours.links()[0]
    held = Qt.KeyboardModifier.ControlModifier
    monkeypatch.setattr(QApplication, "keyboardModifiers", lambda: held)
    QTest.mouseClick(link, Qt.MouseButton.LeftButton, held)
    assert shown_features(explore.compare) == [9, link.row.feature]


def test_field__adds_by_number_and_by_label(compare: ComparePanel, session: Session) -> None:
    notes, errors = FeatureNotes.of(session), []
    session.errorRaised.connect(errors.append)
    notes.set_label(33, "royal persons")
    Compared.of(session).show([9, 20])
    for text in ("12", "royal"):
        compare.field.setText(text)
        QTest.keyClick(compare.field, Qt.Key.Key_Return)
    assert shown_features(compare) == [9, 20, 12, 33]
    assert not compare.field.isEnabled()
    compare.columns[0].remove.click()
    compare.field.setText("nobody")
    QTest.keyClick(compare.field, Qt.Key.Key_Return)
    assert errors[0].what == "No feature is called “nobody”."


def test_comparison__is_of_the_open_index(compare: ComparePanel, session: Session) -> None:
    Compared.of(session).show([9, 20])
    session.open_index("main")
    assert shown_features(compare) == []
    assert compare.empty.isVisible()


# ---------------------------------------------------------------- pinned
def test_pinned_feature__stays_while_others_are_opened(
    compare: ComparePanel, session: Session
) -> None:
    session.select_feature(9)
    Compared.of(session).pin(9)
    assert shown_features(compare) == [9]
    assert "stays here" in compare.sentence.text()
    for feature in (20, 33, 9, 12):
        session.select_feature(feature)
    assert shown_features(compare) == [9, 12]


def test_unpinned_features__stay_when_another_is_opened(
    compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([9, 20])
    session.select_feature(33)
    assert shown_features(compare) == [9, 20]
    compare.columns[1].pin.click()
    assert compare.columns[1].pin.accessibleName() == "Unpin feature 20"
    session.select_feature(12)
    assert shown_features(compare) == [12, 20]
    compare.columns[1].pin.click()
    session.select_feature(40)
    assert shown_features(compare) == [12, 20]


def test_pinning__four_keeps_all_of_them_and_says_why(
    compare: ComparePanel, session: Session
) -> None:
    told: list[str] = []
    session.noticeRaised.connect(told.append)
    compared = Compared.of(session)
    compared.show([9, 20, 33, 12])
    for feature in compared.features:
        compared.pin(feature)
    session.select_feature(40)
    assert shown_features(compare) == [9, 20, 33, 12]
    assert told == ["All 4 features are pinned. Unpin one to change it."]


def test_opened_elsewhere__a_feature_is_not_followed_out_of_sight(
    explore: ExplorePanel, session: Session
) -> None:
    Compared.of(session).pin(9)
    session.select_feature(20)
    assert Compared.of(session).features == (9,)
    explore.places.show_place("compare")
    assert shown_features(explore.compare) == [9, 20]


# ---------------------------------------------------------------- what is shown
def test_table__holds_the_figures_of_every_pair_and_of_random_ones(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([9, 20, 33])
    counted(qtbot, compare)
    index, project = session.index, session.project
    found = compare_features(index, project.dictionary_path("dict"), [9, 20, 33])
    lines = [line.split("\t") for line in compare.table.text().splitlines()]
    assert [line[1:] for line in lines[1:-1]] == [list(pair_cells(pair)) for pair in found.pairs]
    assert [line[0] for line in lines[1:-1]] == ["#9 and #20", "#9 and #33", "#20 and #33"]
    assert lines[-1] == ["Random pairs", *random_cells(found.random)]
    assert len(lines[0]) == 1 + len(COLUMNS)
    assert compare.source.text() == source_text(found)
    assert not compare.keep.isVisible()
    assert compare.sentence.text() == pair_sentence(found.pairs[0], found.random)
    compare.table.setCurrentCell(2, 0)
    assert compare.sentence.text() == pair_sentence(found.pairs[2], found.random)


def test_table__is_as_tall_as_its_rows(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([9, 20, 33, 12])
    counted(qtbot, compare)
    QApplication.processEvents()
    table = compare.table
    last = table.visualItemRect(table.item(table.rowCount() - 1, 0))
    assert table.viewport().rect().contains(last)
    assert table.viewport().height() - last.bottom() < 4


def test_tokens__that_tell_a_feature_apart_stand_in_its_column(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([0, 20])
    counted(qtbot, compare)
    on = np.load(session.index.path.with_name("activations.npy")) > 0
    alone = int((on[0] & ~on[20]).sum())
    assert compare.columns[0].tokens.text() == f"·Lord\t{alone}"
    side = compare.comparison.features[0]
    assert token_row(side.tokens[0], 0)[2].endswith(
        f"{alone} of them where none of the others fires."
    )


def test_single_feature__has_nothing_that_it_is_told_apart_from(
    compare: ComparePanel, session: Session
) -> None:
    session.select_feature(9)
    Compared.of(session).pin(9)
    (alone,) = compare.columns
    assert not alone.apart.isVisible()
    session.select_feature(20)
    assert [column.apart.isVisible() for column in compare.columns] == [True, True]
    Compared.of(session).remove(20)
    assert not alone.apart.isVisible()


def test_columns__show_contexts_logits_and_histogram(
    compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([0, 20])
    column, index = compare.columns[0], session.index
    top = [line.split("\t")[0] for line in column.raised.text().splitlines()]
    assert len(top) == 6
    assert top[0].strip("·") == index.top_logits(0)[0][0].strip()
    assert f"{index.columns['max_activation'][0]:.2f}" in column.figures.text()
    counts = index.histogram(0)[1]
    assert str(int(counts.sum())) in column.histogram.accessibleDescription().replace(",", "")
    column.contexts.select_all()
    assert "Lord" in column.contexts.selected_text()


def test_names__change_with_the_label(compare: ComparePanel, session: Session) -> None:
    Compared.of(session).show([0, 20])
    notes = FeatureNotes.of(session)
    assert compare.columns[0].name.text() == notes.words(0).line()
    assert compare.columns[0].name.property("quiet") == "true"
    notes.set_label(0, "the Lord")
    assert compare.columns[0].name.text() == "the Lord"
    assert not compare.columns[0].name.property("quiet")


def test_dead_feature__is_compared_and_said_to_be_dead(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([0, 5])
    counted(qtbot, compare)
    assert compare.columns[1].figures.text() == "Never fires"
    assert "They never fire on the same token" in compare.sentence.text()


def test_damaged_firings__are_said_and_the_columns_stay(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    path = next(session.index.path.with_suffix(".firings").glob("*.h5"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    Compared.of(session).show([0, 20])
    qtbot.waitUntil(lambda: "is damaged" in compare.sentence.text(), timeout=20_000)
    assert shown_features(compare) == [0, 20]
    assert not compare.table.isVisible()


def test_copied_figures__are_the_table(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([0, 20])
    counted(qtbot, compare)
    compare.copy.click()
    assert QApplication.clipboard().text() == compare.table.text()


def test_index_without_firings__leads_to_one_that_keeps_them(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    shutil.rmtree(session.index.path.with_suffix(".firings"))
    Compared.of(session).show([9, 20])
    counted(qtbot, compare)
    assert "has not kept where each feature fires" in compare.source.text()
    assert compare.keep.isVisible()
    compare.keep.click()
    (form,) = compare.window().findChildren(IndexForm)
    assert form.keep.isVisible()
    assert form.keep.isChecked()
    form.close()


def test_four_columns__fit_the_middle_of_a_small_window(
    qtbot: QtBot, compare: ComparePanel, session: Session
) -> None:
    Compared.of(session).show([0, 20, 33, 12])
    counted(qtbot, compare)
    widths = [max(part.minimumSizeHint().width() for part in c.parts) for c in compare.columns]
    assert sum(widths) + 3 * 16 + 2 * 16 <= 1280 - 76 - 388 - 16


def test_shown__is_what_was_compared_before_the_panel_was_there(
    qtbot: QtBot, session: Session
) -> None:
    Compared.of(session).show([9, 20])
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    panel.places.show_place("compare")
    assert shown_features(panel.compare) == [9, 20]
