"""Scores of labels that have changed since: out of the lists, and back when they fit again."""

from __future__ import annotations

import numpy as np
import pytest
from made_names import write_made_names
from made_scores import write_made_scores
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.fresh_scores import FreshScores
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def notes(session: Session, project: Project) -> FeatureNotes:
    path = write_sample_index(project.index_path("main"))
    write_made_names(path)
    stored = Notes(project.notes_path)
    stored.save("dict", FeatureNote(feature=3, label="kings"))
    stored.save("dict", FeatureNote(feature=4, label="changed since"))
    stored.close()
    scored = {3: "kings", 4: "queens", 5: "name of 5", 6: "an earlier name"}
    write_made_scores(path, scored.__getitem__, list(scored))
    session.open_project(project.path)
    found = FeatureNotes.of(session)
    assert session.open_index("main")
    return found


def shown(session: Session) -> list[int]:
    assert session.index is not None
    return np.flatnonzero(~np.isnan(session.index.columns["label_score"])).tolist()


def test_scores_of_other_texts__are_not_listed(
    notes: FeatureNotes, session: Session, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: shown(session) == [3, 5])
    assert session.index is not None
    assert session.index.scores is not None
    assert session.index.scores.score(4) is not None  # kept in the file


def test_a_label_that_is_edited__loses_its_score_until_it_is_put_back(
    notes: FeatureNotes, session: Session, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: shown(session) == [3, 5])
    with qtbot.waitSignal(session.columnMade):
        notes.set_label(3, "kings and queens")
    assert shown(session) == [5]
    session.undo_stack.undo()
    assert shown(session) == [3, 5]
    notes.set_label(5, "my own words")
    assert shown(session) == [3]
    notes.set_label(9, "of a feature without a score")
    assert shown(session) == [3]


def test_hiding_a_score__compares_nothing_once_more(
    notes: FeatureNotes, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.waitUntil(lambda: shown(session) == [3, 5])
    looked: list[None] = []
    monkeypatch.setattr(FreshScores, "look", lambda _self: looked.append(None))
    with qtbot.waitSignal(session.columnMade):
        notes.set_label(3, "kings and queens")
    assert looked == []
    session.columnMade.emit("label_score")
    assert looked == [None]
