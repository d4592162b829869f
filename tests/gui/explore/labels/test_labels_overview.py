"""The overview says who named how many features, how far to believe it, and what to do next."""

from __future__ import annotations

import numpy as np
import pytest
from index_session import FakeClient
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.features.config import NameFeaturesConfig
from sae_desktop.gui.explore.labels import overview
from sae_desktop.gui.explore.labels.labels_panel import DESK, OVERVIEW, LabelsPanel
from sae_desktop.gui.explore.labels.overview import NAME, READ
from sae_desktop.gui.explore.labels.overview_facts import Scores, Shown, take_overview
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import DEMONSTRATION
from sae_desktop.project_note import FeatureNote


def test_counts__are_of_what_each_feature_shows(session: Session) -> None:
    shown = {"": np.array([3, 5, 7, 8]), "model": np.array([9])}
    people = {"": 1, "me": 1, "Anna": 2}
    found = take_overview(session.index, Shown(shown, people), "me")
    density = np.array(session.index.columns["density"])
    assert (found.features, found.alive) == (len(density), int((density > 0).sum()))
    assert (found.own, found.model, found.imported) == (2, 1, 0)
    assert found.others == [("Anna", 2)]
    assert found.labelled == 5
    assert found.automatic == len(density) - 5  # all have one
    assert found.nameless == 0


def test_sentence__tells_names_that_say_something_from_those_that_do_not() -> None:
    good = Scores(np.full(9, 0.9, np.float32), np.full(9, 0.5, np.float32))
    poor = Scores(np.full(9, 0.55, np.float32), np.full(9, 0.5, np.float32))
    assert "0.90" in good.sentence
    assert "0.50" in good.sentence
    assert "say something true" in good.sentence
    assert "say little" in poor.sentence
    assert not Scores().known


def test_scores_below_the_usual_range__are_counted_too() -> None:
    scores = Scores(np.array([0.0, 0.1, 1.0], np.float32), np.array([0.05], np.float32))
    _, own, shuffled = scores.counts()
    assert (own.sum(), shuffled.sum()) == (3, 1)


def test_overview__is_seen_first_and_its_button_leads_to_the_desk(
    qtbot: QtBot, labels: LabelsPanel, session: Session
) -> None:
    assert labels.places.place == OVERVIEW
    first = labels.overview
    qtbot.waitUntil(lambda: "features" in first.headline.text(), timeout=5000)
    assert "You\t0" in first.bars.text()
    assert f"Automatic\t{session.index.features}" in first.bars.text()
    assert first.histogram.isVisible()
    button = first.ways.ways[READ].button
    assert button.property("primary") == "true"
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert labels.places.place == DESK
    assert labels.desk.text.view.hasFocus()


def test_label__is_counted_at_once(qtbot: QtBot, labels: LabelsPanel, session: Session) -> None:
    FeatureNotes.of(session).set_label(3, "mine")
    qtbot.waitUntil(lambda: "You\t1" in labels.overview.bars.text(), timeout=5000)


def test_labels_of_others__are_not_counted_as_yours(
    qtbot: QtBot, labels: LabelsPanel, session: Session
) -> None:
    assert session.notes is not None
    wrote = [(3, "Anna"), (4, "Anna"), (5, DEMONSTRATION), (6, session.person)]
    for feature, who in wrote:
        session.notes.save("dict", FeatureNote(feature=feature, label="kings", author=who))
    FeatureNotes.of(session).reload()
    bars = labels.overview.bars
    qtbot.waitUntil(lambda: "Anna\t2" in bars.text(), timeout=5000)
    assert "The demonstration\t1" in bars.text()
    assert "You\t1" in bars.text()


def test_very_many_labels__are_counted_from_the_file(
    qtbot: QtBot, labels: LabelsPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    FeatureNotes.of(session).set_label(3, "mine")
    assert session.notes is not None  # written
    monkeypatch.setattr(overview, "_AT_ONCE", 0)
    monkeypatch.setattr(overview, "shown_labels", None)  # never in the window’s thread
    FeatureNotes.of(session).reload()
    qtbot.waitUntil(lambda: "You\t1" in labels.overview.bars.text(), timeout=5000)


def test_histogram__reads_out_and_copies_what_it_shows(qtbot: QtBot, labels: LabelsPanel) -> None:
    histogram = labels.overview.histogram
    qtbot.waitUntil(lambda: histogram._scores.known, timeout=5000)
    lines = histogram.data_text().splitlines()
    assert lines[0] == "from\tto\tnames\tshuffled"
    named = np.count_nonzero(np.isfinite(histogram._scores.own))
    assert sum(int(line.split("\t")[2]) for line in lines[1:]) == named
    box = histogram.plot.vb
    place = box.mapViewToScene(box.viewRect().center())
    histogram.view.scene().sigMouseMoved.emit(place)
    assert "Scores from" in histogram.readout.text()
    QGuiApplication.clipboard().clear()


def test_index_without_names__is_named_first(
    qtbot: QtBot, labels: LabelsPanel, session: Session, client: FakeClient
) -> None:
    session.index.path.with_suffix(".names").unlink()
    session.open_index("main")
    ways = labels.overview.ways.ways
    qtbot.waitUntil(ways[NAME].button.isVisible, timeout=5000)
    assert ways[NAME].button.property("primary") == "true"
    assert ways[READ].button.property("primary") != "true"
    assert labels.overview.believe.text() == "No name has a score yet."
    QTest.mouseClick(ways[NAME].button, Qt.MouseButton.LeftButton)
    assert isinstance(client.jobs[-1].config, NameFeaturesConfig)
    assert client.jobs[-1].config.index == "main"
    assert not ways[NAME].button.isVisible()  # it is under way
    assert "Under way" in ways[NAME].said.text()
    assert ways[READ].button.property("primary") == "true"
    client.end_cancelled(client.jobs[-1])
    assert ways[NAME].button.isVisible()
