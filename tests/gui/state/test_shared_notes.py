"""Two windows on one project: one writes, both see."""

from __future__ import annotations

import pytest
from frame_client import FakeClient, Heard
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.gui.state import notes_writer
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


@pytest.fixture(autouse=True)
def _index(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample_index(project.index_path("main"))
    monkeypatch.setattr(notes_writer, "_LOOK_SECONDS", 0.05)


def test_read_only_window__writes_no_labels_stars_lists_and_says_so(
    session: Session, client: FakeClient, heard: Heard, project: Project
) -> None:
    session.open_project(project.path)
    client.refuse_project("The project is already open in another window.")
    notes, lists = FeatureNotes.of(session), KeptLists.of(session)
    notes.set_label(3, "lost")
    notes.set_starred(3, True)
    notes.set_stars(notes.labelled_features(), True)
    assert lists.add("mine", [3]) is None
    assert session.notes is not None
    assert session.notes.all("dict") == {}
    assert lists.names() == []
    assert notes.label(3) == ""
    assert not session.undo_stack.canUndo()
    assert {error.what for error in heard.errors} == {
        "The project is already open in another window."
    }


def test_two_windows__see_each_others_labels_and_lists(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    other = Session(FakeClient())  # type: ignore[arg-type]
    other.open_project(project.path)
    theirs, ours = FeatureNotes.of(other), FeatureNotes.of(session)
    assert ours.label(3) == ""
    theirs.set_label(3, "theirs")
    KeptLists.of(other).add("mine", [3])
    qtbot.waitUntil(lambda: ours.label(3) == "theirs", timeout=5_000)
    qtbot.waitUntil(lambda: KeptLists.of(session).names() == [("mine", 1)], timeout=5_000)
    assert ours.labelled_features().tolist() == [3]
    other.close_project()
