"""What is read as an automatic name is found by typing it, in the list, on the map, in compare."""

from __future__ import annotations

import pytest
from made_names import write_made_names
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from shown_panel import in_workspace

from sae_desktop.features.reading import name_search
from sae_desktop.gui.explore.compare.compare_panel import ComparePanel
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.map.feature_map import FeatureMapPanel
from sae_desktop.gui.frame.palette_names import automatic_names
from sae_desktop.gui.frame.palette_texts import IndexTexts
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.name_finder import NameFinder
from sae_desktop.gui.state.session import Session

LABELLED, BEST, OTHER = 8, 12, 20


@pytest.fixture
def named(session: Session) -> Session:
    """A session whose index calls three features French, one of which has a label."""
    assert session.index is not None
    names = {LABELLED: "French words", BEST: "French text: “de”", OTHER: "“les” · mostly French"}
    write_made_names(session.index.path, [names.get(f, f"number {f}") for f in range(64)])
    session.index.read_names()
    FeatureNotes.of(session).set_label(LABELLED, "kings")
    return session


def test_list__finds_automatic_names_where_labels_are_searched(
    qtbot: QtBot, named: Session
) -> None:
    explore = ExplorePanel(named)
    in_workspace(qtbot, "explore", explore)
    panel = explore.list
    panel.search.setText("french")
    panel.apply_filter()
    assert panel.model.listed.tolist() == [BEST, OTHER]
    panel.bar.labelled.setChecked(True)
    assert panel.model.listed.tolist() == []
    panel.bar.labelled.setChecked(False)
    panel.search.setText("kings")
    panel.apply_filter()
    assert panel.model.listed.tolist() == [LABELLED]


def test_list__reads_very_many_names_beside_the_window(
    qtbot: QtBot, named: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_search, "AT_ONCE", 10)
    explore = ExplorePanel(named)
    in_workspace(qtbot, "explore", explore)
    panel = explore.list
    panel.search.setText("french te")
    panel.apply_filter()
    assert panel.count.text() == "Reading the text…"
    qtbot.waitUntil(lambda: panel.model.listed.tolist() == [BEST], timeout=5_000)


def test_rejected_name__is_not_found(named: Session) -> None:
    notes = FeatureNotes.of(named)
    notes.actions.reject(BEST, notes.actions.labels(BEST)[0])
    assert named.index is not None
    assert notes.found_names(named.index, "French").tolist() == [OTHER]


def test_map_and_compare__go_to_a_label_then_to_an_automatic_name(
    qtbot: QtBot, named: Session
) -> None:
    map_, compare = FeatureMapPanel(named), ComparePanel(named)
    for widget in (map_, compare):
        qtbot.addWidget(widget)
    for text, feature in (("kings", LABELLED), ("French", BEST)):
        map_.search.setText(text)
        QTest.keyClick(map_.search, Qt.Key.Key_Return)
        assert named.feature == feature
        compare.field.setText(text)
        QTest.keyClick(compare.field, Qt.Key.Key_Return)
        assert feature in Compared.of(named).features
        assert compare.field.text() == ""


def test_name_finder__searches_very_many_beside_the_window(
    qtbot: QtBot, named: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_search, "AT_ONCE", 10)
    told: list[int | None] = []
    finder = NameFinder(named, named)
    finder.find("mostly", told.append)
    assert told == []
    qtbot.waitUntil(lambda: told == [OTHER], timeout=5_000)
    finder.find("nothing of the kind", told.append)
    qtbot.waitUntil(lambda: told == [OTHER, None], timeout=5_000)


def test_offered__are_labels_then_automatic_names_marked_so(named: Session) -> None:
    offered = NameFinder(named, named).offered(100)
    assert offered[0] == f"#{LABELLED} kings"
    assert f"#{BEST} French text: “de” · automatic" in offered
    assert not any("French words" in text for text in offered)


def test_search_everything__tells_automatic_names_quietly(
    named: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert named.index is not None
    entries = automatic_names(named, named.index, "French")
    assert [entry.key for entry in entries] == [str(BEST), str(OTHER)]
    assert entries[0].title == f"Feature {BEST}"
    assert entries[0].aside.startswith("French text: “de”")
    assert entries[0].detail == "automatic name"
    more = automatic_names(named, named.index, "number")
    assert (more[-1].enabled, more[-1].title[:23]) == (False, "55 more automatic names")
    monkeypatch.setattr(name_search, "AT_ONCE", 10)
    assert automatic_names(named, named.index, "mostly French") == []
    texts = IndexTexts(named, lambda: None)  # type: ignore[arg-type, return-value]
    work = texts.work("mostly French")
    assert work is not None
    rows = texts.rows("mostly French", work())  # type: ignore[arg-type]
    assert rows[0][0].key == str(OTHER)
    assert rows[0][1].heading == "Automatic names: “mostly French”"
