"""The Explore workspace: list, page, probe."""

from __future__ import annotations

import numpy as np
import pytest
from made_kinds import UNSCORED, write_made_kinds
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index
from shown_panel import shown

from sae_desktop.benchmark.kinds.config import (
    ConceptKindsConfig,
    ConceptKindsResult,
    ModalScore,
)
from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.effect_file import EffectInfo, write_effects
from sae_desktop.features.reading.same_concept_text import same_concept_text
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.list.feature_table import (
    LABEL,
    TABLE_COLUMNS,
)
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.feature_menu import feature_menu
from sae_desktop.gui.parts.passages import HoveredToken
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_notes import Notes
from sae_desktop.steering.effect_config import OutputEffectConfig, OutputEffectResult


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
    panel.places.show_place("text")
    session.select_feature(0)
    QTest.keyClicks(panel.probe.text, "And the Lord")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    config = client.jobs[0].config
    assert isinstance(config, ProbeConfig)
    assert (config.text, config.features, config.index) == ("And the Lord", [0], "main")
    client.answer(client.jobs[0], _answer("And the Lord", 0))
    assert panel.probe.tokens.plain_text() == "AndtheLord"
    assert panel.probe.lit.state.text() == "at most 4.00 on this text"
    assert sorted(panel.probe.matrix.features()) == [0, 30]


def test_probe__shows_only_the_last_answer(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client
) -> None:
    panel.places.show_place("text")
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
    panel.places.show_place("text")
    panel.probe.text.setPlainText("one")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], _answer("one", 3))
    session.select_feature(30)
    assert panel.probe.lit.state.text() == "at most 9.00 on this text"  # known at once
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5000)
    assert client.jobs[1].config.features == [30]


def test_probe__says_in_place_why_there_is_no_answer(
    qtbot: QtBot, panel: ExplorePanel, session: Session, client, heard
) -> None:
    panel.places.show_place("text")
    panel.probe.text.setPlainText("one")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.fail(client.jobs[0], "The model is gone.")
    assert panel.probe.lit.state.text() == "The model is gone."
    assert heard.errors == []
    panel.probe.text.setPlainText("")
    assert panel.probe.lit.state.text() == ""


# ---------------------------------------------------------------- states
def test_without_index__one_sentence_and_one_button(qtbot: QtBot, empty_session: Session) -> None:
    panel = ExplorePanel(empty_session)
    shown(qtbot, "explore", panel)
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
    def refuse(*_: object, **_more: object) -> None:
        raise UserError("The label could not be saved: the disk is full.")

    session.select_feature(9)
    monkeypatch.setattr(Notes, "change", refuse)
    FeatureNotes.of(session).set_label(9, "lost")
    qtbot.waitUntil(lambda: panel.page.title.label.text() == "")
    assert "could not be saved" in heard.errors[0].what


def test_note_tags_and_rating__of_the_page_are_saved(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    FeatureNotes.of(session).set_label(4, "kings")
    session.select_feature(3)
    title = panel.page.title
    QTest.keyClicks(title.note, "seen in the law")
    QTest.keyClicks(title.tags, "law, Latin,law")
    session.select_feature(4)  # half typed, it is kept
    kept = session.notes.note("dict", 3)
    assert (kept.note, kept.tags) == ("seen in the law", ("Latin", "law"))
    assert (title.note.text(), title.tags.text()) == ("", "")
    assert title.rating.currentData() == 0
    title.rating.setCurrentIndex(4)
    title.rating.activated.emit(4)
    assert session.notes.note("dict", 4).rating == 4
    session.select_feature(3)
    assert (title.note.text(), title.tags.text()) == ("seen in the law", "Latin, law")
    assert not title.rating.isVisibleTo(title)  # there is no label to rate
    session.undo_stack.undo()
    assert session.notes.note("dict", 4).rating == 0
    session.select_feature(4)
    assert title.rating.currentText() == "Not rated"


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


def test_name__is_agreed_to_and_rejected_by_one_key(panel: ExplorePanel, session: Session) -> None:
    notes = FeatureNotes.of(session)
    session.select_feature(4)
    notes.set_label(4, "kings")
    deeds = {info.id: info for info in panel.action_infos()}
    assert deeds["explore.agree"].shortcut == "Ctrl+Shift+Y"
    deeds["explore.reject"].callback()
    assert notes.label(4) == ""
    assert [one.state for one in notes.actions.labels(4)] == ["rejected"]
    notes.actions.choose(4, notes.actions.labels(4)[0])
    assert notes.label(4) == "kings"


def test_one_concept__is_a_line_of_the_page_and_a_column_once_measured(
    panel: ExplorePanel, session: Session, client, qtbot: QtBot
) -> None:
    index = session.index
    assert index is not None
    session.select_feature(3)
    assert panel.page.concept.isHidden()
    job = session.run(ConceptKindsConfig(project=session.project_path, index=session.index_name))
    write_made_kinds(index.path, index.info.dictionary_hash, index.features)
    score = ModalScore(features=3, same=1, other_way=1, by_chance=0.2, best=[])
    result = ConceptKindsResult(
        index=session.index_name, kinds=["en"], learn=["en"], rows=[], modality=score
    )
    with qtbot.waitSignal(session.columnMade) as made:
        client.answer(job, result)
    assert made.args == ["same_concept"]
    assert panel.page.concept.isVisible()
    assert panel.page.concept.text() == same_concept_text(index.kinds, 3) != ""
    session.select_feature(UNSCORED)
    assert "fires on none of the 60 pictures" in panel.page.concept.text()
    column = TABLE_COLUMNS.index("concept")
    model = panel.list.model
    assert not panel.list.table.isColumnHidden(TABLE_COLUMNS.index("same_concept"))
    assert model.index(model.row_of(3), column).data() == "horse"
    assert model.index(model.row_of(UNSCORED), column).data() == "–"
    bar = panel.list.bar
    bar._fill_menu()
    told = {action.text(): action.menu() for action in bar.more.menu().actions()}
    concepts = told["Concept it tells best"].actions()
    assert [action.text() for action in concepts] == ["cat", "horse"]
    concepts[1].trigger()
    assert bar.conditions().concepts == ("horse",)
    assert panel.list.count.text().startswith(f"{index.features // 2} of {index.features}")
