"""The list of features found on a text: what each says, and what one click or key does with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.features.config import ProbeResult
from sae_desktop.gui.explore.ask import probe_question
from sae_desktop.gui.explore.ask.found_features import SHOWN
from sae_desktop.gui.explore.ask.probe import ProbePanel
from sae_desktop.gui.explore.ask.probe_bars import EXAMPLES
from sae_desktop.gui.parts.tab_order import tab_order
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.glossary import hover

RESULT = ProbeResult(
    tokens=["And", " the", " Lord"],
    offsets=[0, 1, 2, 4],
    features=[30, 7, 11, 7],
    activations=[2.0, 1.0, 9.0, 4.0],
)


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[ProbePanel]:
    panel = ProbePanel(session)
    panel.settings.ranking.setCurrentIndex(1)  # by activation
    qtbot.addWidget(panel)
    panel.resize(800, 640)
    panel.show()
    return panel


@pytest.fixture
def found(qtbot: QtBot, panel: ProbePanel, session: Session, client) -> ProbePanel:
    session.select_feature(7)
    panel.text.setPlainText("And the Lord")
    qtbot.waitUntil(lambda: bool(client.jobs), timeout=5000)
    client.answer(client.jobs[-1], RESULT)
    return panel


def listed(panel: ProbePanel) -> list[int]:
    return [line.found.feature for line in panel.found.lines()]


def test_lines__say_what_a_feature_is_and_how_much_of_it_there_is(
    found: ProbePanel, session: Session
) -> None:
    assert listed(found) == [11, 7, 30]
    first, second = found.found.lines()[:2]
    maximum = float(session.index.columns["max_activation"][11])
    assert (first.found.figure, first.found.share) == ("9.00", pytest.approx(9.0 / maximum))
    assert "strongest in “" in first.facts.accessibleName()
    FeatureNotes.of(session).set_label(7, "the divine")
    assert "the divine" in second.facts.accessibleName()
    assert found.found.heading.unit == "Activation"


def test_names_of_another_index__are_not_looked_up_for_what_was_found_in_this_one(
    found: ProbePanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = found.found.lines()[0]
    before = line.facts.accessibleName()

    def beyond(feature: int) -> None:
        raise IndexError(feature)

    monkeypatch.setattr(session.index, "strength", beyond)  # as of one with fewer features
    monkeypatch.setattr(type(session), "index_name", property(lambda _: "another"))
    FeatureNotes.of(session).reloaded.emit()
    assert line.facts.accessibleName() == before


def test_token__lists_its_features_with_what_they_come_to_there(found: ProbePanel) -> None:
    found.choose_token(1)
    (line,) = found.found.lines()
    assert (line.found.feature, line.found.figure) == (7, "1.00")
    assert found.ranked.text() == "1 feature on “·the” (token 1), by activation"
    found.choose_token(None)
    assert listed(found) == [11, 7, 30]


def test_buttons__open_and_steer_at_once(found: ProbePanel, session: Session, heard) -> None:
    line = found.found.lines()[0]
    QTest.mouseClick(line.steer, Qt.MouseButton.LeftButton)
    assert (heard.steered, heard.workspaces[-1]) == ([11], "steer")
    QTest.mouseClick(line.open, Qt.MouseButton.LeftButton)
    assert (session.feature, heard.workspaces[-1]) == (11, "explore.feature")


def test_compare__puts_a_feature_beside_the_one_that_is_lit(
    found: ProbePanel, session: Session, heard
) -> None:
    lines = found.found.lines()
    QTest.mouseClick(lines[0].compare, Qt.MouseButton.LeftButton)
    assert (Compared.of(session).features, heard.workspaces[-1]) == ((7, 11), "explore.compare")
    QTest.mouseClick(lines[1].compare, Qt.MouseButton.LeftButton)  # the lit one: with the best
    assert Compared.of(session).features == (11, 7)


def test_click_on_a_line__lights_the_text_and_on_its_number_opens_the_feature(
    found: ProbePanel, session: Session, heard
) -> None:
    facts = found.found.lines()[2].facts
    QTest.mouseClick(facts, Qt.MouseButton.LeftButton, pos=QPoint(200, 10))
    assert (found.shown_feature, session.feature, heard.workspaces) == (30, 7, [])
    assert facts.current
    place = facts.number_rect().center().toPoint()
    QTest.mouseClick(facts, Qt.MouseButton.LeftButton, pos=place)
    assert (session.feature, heard.workspaces) == (30, ["explore.feature"])


def test_keys__walk_the_lines_light_the_text_and_open(
    qtbot: QtBot, found: ProbePanel, session: Session, heard
) -> None:
    lines = found.found.lines()
    reached = [widget for widget in tab_order(found) if found.found.isAncestorOf(widget)]
    line = lines[1]  # feature 7 is lit
    assert reached == [line.facts, line.open, line.compare, line.steer]
    lines[1].facts.setFocus()
    QTest.keyClick(lines[1].facts, Qt.Key.Key_Down)
    assert found.shown_feature == 30
    qtbot.waitUntil(lines[2].facts.hasFocus, timeout=5000)
    QTest.keyClick(lines[2].facts, Qt.Key.Key_Down)  # the last one
    QTest.keyClick(lines[2].facts, Qt.Key.Key_Return)
    assert (session.feature, heard.workspaces) == (30, ["explore.feature"])
    lines[2].steer.setFocus()
    QTest.keyClick(lines[2].steer, Qt.Key.Key_Up)
    qtbot.waitUntil(lines[1].steer.hasFocus, timeout=5000)


def test_text__is_lit_by_its_strongest_feature_where_the_selected_one_is_silent(
    qtbot: QtBot, panel: ProbePanel, session: Session, client
) -> None:
    session.select_feature(3)
    panel.text.setPlainText("And the Lord")
    qtbot.waitUntil(lambda: bool(client.jobs), timeout=5000)
    client.answer(client.jobs[-1], RESULT)
    assert panel.shown_feature == 11
    assert panel.lit.heading.text() == "#11"
    assert panel.lit.state.text() == "at most 9.00 on this text"
    session.select_feature(3)  # asked for, it is shown all the same
    assert panel.lit.state.text() == "does not fire on this text"


def test_many_features__are_shown_some_at_a_time(
    qtbot: QtBot, panel: ProbePanel, session: Session, client
) -> None:
    features = list(range(2 * SHOWN + 1))
    result = ProbeResult(
        tokens=["a"],
        offsets=[0, len(features)],
        features=features,
        activations=[float(100 - n) for n in features],
    )
    panel.text.setPlainText("a")
    qtbot.waitUntil(lambda: bool(client.jobs), timeout=5000)
    client.answer(client.jobs[-1], result)
    assert listed(panel) == features[:SHOWN]
    assert panel.found.more.text() == f"Show {SHOWN} more"
    panel.found.more.click()
    assert panel.found.more.text() == "Show 1 more"
    panel.found.more.click()
    assert listed(panel) == features
    assert not panel.found.more.isVisible()


def test_matrix__takes_the_place_of_the_list_and_gives_it_back(found: ProbePanel) -> None:
    assert (found.found.isVisible(), found.matrix.isVisible()) == (True, False)
    found.ways.choose(1)
    assert (found.found.isVisible(), found.matrix.isVisible()) == (False, True)
    found.ways.choose(0)
    assert found.found.isVisible()


# ---------------------------------------------------------------- where a text comes from
def test_examples__are_offered_while_there_is_no_text(panel: ProbePanel) -> None:
    assert panel.examples.isVisible()
    panel.examples.chosen.emit(EXAMPLES[0][1])
    assert panel.text.toPlainText() == EXAMPLES[0][1]
    assert not panel.examples.isVisible()
    panel.text.clear()
    assert panel.examples.isVisible()


def drop(panel: ProbePanel, data: QMimeData) -> None:
    nothing, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(QPoint(400, 600), Qt.DropAction.CopyAction, data, left, nothing)
    QApplication.sendEvent(panel, enter)
    event = QDropEvent(QPointF(400, 600), Qt.DropAction.CopyAction, data, left, nothing)
    QApplication.sendEvent(panel, event)
    assert event.isAccepted()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.md", "# Title\n", "# Title\n"),
        ("a.py", "x = 1\n", "x = 1\n"),
        ("a.json", '{"a": [1, 2]}', '{"a": [1, 2]}'),
        ("a.jsonl", '{"text": "one"}\n{"text": "two"}\n', "one\n\ntwo"),
    ],
)
def test_file__dropped_beside_the_box_is_read(
    qtbot: QtBot, panel: ProbePanel, tmp_path: Path, name: str, content: str, text: str
) -> None:
    (tmp_path / name).write_text(content)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / name))])
    drop(panel, data)
    assert panel.lit.state.text() == f"Reading “{name}”…"
    qtbot.waitUntil(lambda: panel.text.toPlainText() == text, timeout=20_000)


def test_text__dragged_in_beside_the_box_replaces_what_stands_there(panel: ProbePanel) -> None:
    panel.text.setPlainText("before")
    data = QMimeData()
    data.setText("And the Lord said")
    drop(panel, data)
    assert panel.text.toPlainText() == "And the Lord said"
    panel.text.undo()
    assert panel.text.toPlainText() == "before"


def test_file__that_is_too_long_is_refused_and_says_what_to_do(
    qtbot: QtBot, panel: ProbePanel, tmp_path: Path, heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.gui.explore.ask.probe.LONGEST", 20)
    panel.text.setPlainText("typed")
    (tmp_path / "long.txt").write_text("a" * 21)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "long.txt"))])
    drop(panel, data)
    qtbot.waitUntil(lambda: bool(heard.errors), timeout=20_000)
    assert heard.errors[0].what == "“long.txt” has more than 20 characters."
    assert heard.errors[0].next_step
    assert panel.text.toPlainText() == "typed"
    assert probe_question.LONGEST > 20


@pytest.mark.parametrize("number", range(4))
def test_heading__explains_what_the_figures_are(
    qtbot: QtBot, panel: ProbePanel, session: Session, client, number: int
) -> None:
    panel.settings.ranking.setCurrentIndex(number)
    panel.text.setPlainText("And the Lord")
    qtbot.waitUntil(lambda: bool(client.jobs), timeout=5000)
    client.answer(client.jobs[-1], RESULT)
    told = " ".join(panel.found.heading.toolTip().split())
    assert hover(panel.found.heading.unit) in told
    assert hover("Share of maximum") in told
