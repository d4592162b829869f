"""The Explore workspace: list, page, probe."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.effect_file import EffectInfo, write_effects
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.list.feature_list import FeatureListPanel
from sae_desktop.gui.explore.list.feature_table import (
    DENSITY,
    FEATURE_ROLE,
    LABEL,
    MAXIMUM,
    NUMBER,
    STAR,
    TABLE_COLUMNS,
)
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.feature_menu import feature_menu
from sae_desktop.gui.parts.passages import HoveredToken
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.steering.effect_config import OutputEffectConfig, OutputEffectResult


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ExplorePanel:
    return _shown(qtbot, ExplorePanel(session))


def _shown(qtbot: QtBot, panel: ExplorePanel) -> ExplorePanel:
    workspace = Workspace("explore", panel, panel.docks())
    qtbot.addWidget(workspace)
    workspace.resize(1280, 720)
    workspace.show()
    qtbot.waitExposed(workspace)
    panel.workspace = workspace  # kept alive with the panel
    return panel


# ---------------------------------------------------------------- page
def test_page__tells_what_the_index_knows(panel: ExplorePanel, session: Session) -> None:
    session.select_feature(0)
    page = panel.page
    index = session.index
    assert index is not None
    assert page.title.number.text() == "#0"
    density = float(index.columns["density"][0])
    figures = page.figures.text().replace("\u00a0", " ")
    assert f"1 in {round(1 / density)}" in figures
    assert f"max {float(index.columns['max_activation'][0]):.2f}" in figures
    assert " Lord" in page.contexts.plain_text()
    assert page.raised.text().count("\n") == 9
    assert "−" in page.lowered.text()
    assert [link.row.feature for link in page.neighbours.links()] == list(range(1, 9))
    _, counts = index.histogram(0)
    assert page.histogram.data_text().count("\n") == len(counts)
    assert f"{int(counts.sum()):,} tokens" in page.histogram.accessibleDescription()


def test_page__shows_all_contexts_on_request_and_for_the_next_feature(
    panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(0)
    few = panel.page.contexts.plain_text().count("\n")
    panel.page.more.click()
    assert session.index is not None
    whole = len(session.index.contexts(0))
    assert panel.page.contexts.plain_text().count("\n") > few
    assert len(panel.page.contexts._blocks) > whole
    session.select_feature(7)
    assert panel.page.more.isChecked()


def test_page__of_a_dead_feature_says_so(panel: ExplorePanel, session: Session) -> None:
    session.select_feature(5)
    assert "Never fires" in panel.page.figures.text().replace("\u00a0", " ")
    assert "linear buckets" not in [b.item.note for b in panel.page.contexts._blocks]
    session.select_feature(0)
    assert [b.item.note for b in panel.page.contexts._blocks].count("linear buckets") == 1
    session.select_feature(5)
    panel.page.grab()


def test_hover__marks_the_histogram(panel: ExplorePanel, session: Session) -> None:
    session.select_feature(0)
    panel.page.contexts.tokenHovered.emit(HoveredToken("·Lord", 5.0))
    assert panel.page.histogram.marker == 5.0
    panel.page.contexts.tokenHovered.emit(None)
    assert panel.page.histogram.marker is None


def test_label__of_the_page_is_saved_and_shown_in_the_list(
    panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(4)
    field = panel.page.title.label
    field.setFocus()
    QTest.keyClicks(field, "newline")
    QTest.keyClick(field, Qt.Key.Key_Return)
    row = panel.list.model.row_of(4)
    assert row is not None
    assert panel.list.model.index(row, LABEL).data() == "newline"
    session.undo_stack.undo()
    assert field.text() == ""


def test_label__half_typed_is_kept_when_another_feature_opens(
    panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(4)
    QTest.keyClicks(panel.page.title.label, "newline")
    session.select_feature(6)
    assert FeatureNotes.of(session).label(4) == "newline"
    assert panel.page.title.label.text() == ""


def test_link__opens_its_feature_and_back_returns(panel: ExplorePanel, session: Session) -> None:
    session.enter_workspace("explore")
    session.select_feature(0)
    panel.page.neighbours.links()[2].click()
    assert session.feature == 3
    assert panel.page.title.number.text() == "#3"
    session.go_back()
    assert session.feature == 0
    assert panel.page.title.number.text() == "#0"


def test_menu__of_a_feature_steers_stars_and_copies(
    panel: ExplorePanel, session: Session, heard
) -> None:
    menu = feature_menu(session, 12, panel)
    by_text = {action.text(): action for action in menu.actions()}
    by_text["Steer with this feature"].trigger()
    assert heard.steered == [12]
    assert heard.workspaces == ["steer"]
    by_text["Star"].trigger()
    assert FeatureNotes.of(session).starred(12)
    by_text["Copy link"].trigger()
    assert QGuiApplication.clipboard().text() == "sae-desktop:main/12"
    by_text["Open feature 12"].trigger()
    assert session.feature == 12


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_page__paints_the_maximum_token_orange(
    panel: ExplorePanel, session: Session, mode: str
) -> None:
    theme.manager().apply(mode)
    session.select_feature(0)
    view = panel.page.contexts
    paragraph = view._blocks[1].paragraph
    assert paragraph is not None
    assert paragraph.peak_piece is not None
    rect = view.piece_rects(1, paragraph.peak_piece)[0]
    image = view.grab().toImage()
    colour = image.pixelColor(int(rect.center().x()), int(rect.top()) + 2)
    accent = theme.palette().accent
    assert abs(colour.hue() - accent.hue()) <= 3
    assert abs(colour.saturation() - accent.saturation()) <= 12


# ---------------------------------------------------------------- list
def test_list__built_late_shows_the_feature_that_is_open(qtbot: QtBot, session: Session) -> None:
    session.select_feature(17)
    panel = _shown(qtbot, ExplorePanel(session))
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


# ---------------------------------------------------------------- probe
def _answer(text: str, feature: int) -> ProbeResult:
    tokens = text.split(" ")
    last = len(tokens) - 1
    return ProbeResult(
        tokens=tokens,
        offsets=[0, *[1] * last, 2],
        features=[30, feature],
        activations=[9.0, 4.0],
    )


def test_probe__asks_once_when_the_typing_pauses(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client
) -> None:
    session.select_feature(0)
    QTest.keyClicks(panel.probe.text, "And the Lord")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    config = client.jobs[0].config
    assert isinstance(config, ProbeConfig)
    assert (config.text, config.features, config.index) == ("And the Lord", [0], "main")
    client.answer(client.jobs[0], _answer("And the Lord", 0))
    assert panel.probe.tokens.plain_text() == "AndtheLord"
    assert panel.probe.state.text() == "at most 4.00 on this text"
    assert panel.probe.matrix.features() == [30, 0]


def test_probe__shows_only_the_last_answer(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client
) -> None:
    session.select_feature(0)
    panel.probe.text.setPlainText("one")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    panel.probe.text.setPlainText("one two")
    qtbot.waitUntil(lambda: client.asked_to_cancel(client.jobs[0]), timeout=5000)
    assert len(client.jobs) == 1  # one question is under way at a time
    client.answer(client.jobs[0], _answer("one", 0))
    assert panel.probe.tokens.plain_text() == ""
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5000)
    client.answer(client.jobs[1], _answer("one two", 0))
    assert panel.probe.tokens.plain_text() == "onetwo"


def test_probe__asks_again_for_another_feature(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client
) -> None:
    panel.probe.text.setPlainText("one")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], _answer("one", 3))
    session.select_feature(30)
    assert panel.probe.state.text() == "at most 9.00 on this text"  # known at once
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5000)
    assert client.jobs[1].config.features == [30]


def test_probe__says_in_place_why_there_is_no_answer(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client, heard
) -> None:
    panel.probe.text.setPlainText("one")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.fail(client.jobs[0], "The model is gone.")
    assert panel.probe.state.text() == "The model is gone."
    assert heard.errors == []
    panel.probe.text.setPlainText("")
    assert panel.probe.state.text() == ""


# ---------------------------------------------------------------- states
def test_without_index__one_sentence_and_one_button(qtbot: QtBot, empty_session: Session) -> None:
    panel = _shown(qtbot, ExplorePanel(empty_session))
    asked: list[str] = []
    empty_session.workspaceRequested.connect(asked.append)
    assert panel.empty.isVisible()
    panel.empty.button.click()
    assert asked == ["project"]


def test_index_built_anew__is_opened_at_the_same_feature(
    panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(11)
    before = session.index
    assert before is not None
    part = before.path.with_suffix(".part")
    write_sample_index(part, seed=5)
    part.replace(before.path)
    session.contentsChanged.emit()
    assert session.index is not before
    assert session.feature == 11
    assert panel.page.title.number.text() == "#11"
    now = session.index
    session.contentsChanged.emit()
    assert session.index is now


def test_actions__work_on_the_open_feature(
    qtbot: QtBot, panel: ExplorePanel, session: Session, heard
) -> None:
    registry = ActionRegistry()
    registry.add(panel.action_infos(), panel)
    session.select_feature(9)
    registry.trigger("explore.star")
    assert FeatureNotes.of(session).starred(9)
    registry.trigger("explore.steer")
    assert heard.steered == [9]
    registry.trigger("explore.search")
    qtbot.waitUntil(panel.list.search.hasFocus, timeout=5000)


def test_label_that_cannot_be_saved__is_said_and_taken_back(
    panel: ExplorePanel, session: Session, heard, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(notes: Notes, dictionary: str, note: FeatureNote) -> None:
        raise UserError("The label could not be saved: the disk is full.")

    session.select_feature(9)
    monkeypatch.setattr(Notes, "save", refuse)
    FeatureNotes.of(session).set_label(9, "lost")
    qtbot.waitUntil(lambda: panel.page.title.label.text() == "")
    assert "could not be saved" in heard.errors[0].what


def test_note_and_score__of_the_page_are_saved(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(3)
    title = panel.page.title
    QTest.keyClicks(title.note, "seen in the law")
    session.select_feature(4)  # half typed, it is kept
    assert session.notes.note("dict", 3).note == "seen in the law"
    assert title.note.text() == ""
    assert title.score.chosen() is None
    title.score.setValue(0.75)
    assert session.notes.note("dict", 4).score == 0.75
    session.select_feature(3)
    assert (title.note.text(), title.score.chosen()) == ("seen in the law", None)
    session.undo_stack.undo()
    assert session.notes.note("dict", 4).score is None
    session.select_feature(4)
    assert title.score.text() == "no score"


def test_output_effects__become_a_column_once_measured(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client
) -> None:
    assert "output_effect" not in session.index.columns
    session.select_feature(5)
    action = next(a for a in panel.action_infos() if a.id == "explore.output_effect")
    action.callback()
    config = client.jobs[-1].config
    assert isinstance(config, OutputEffectConfig)
    assert config.index == "main"
    effects = np.linspace(0, 1, session.index.features)
    info = EffectInfo(dictionary_hash="", strength=1.0, prompts=["x"])
    write_effects(session.index.path, info, effects)
    result = OutputEffectResult(
        index="main", features=64, prompts=1, median=0.5, largest=1.0, seconds=1.0
    )
    client.answer(client.jobs[-1], result)
    assert session.index.columns["output_effect"][63] == 1.0
    assert session.feature == 5
