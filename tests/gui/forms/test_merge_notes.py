"""Another person's notes are shown beside one's own before they are merged."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.gui.forms.merge_notes import MergeDialog, NotesMerge
from sae_desktop.gui.project.intake import Intake
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    notes = Notes(tmp_path / "Ben.sqlite")
    notes.save("dict", FeatureNote(feature=1, label="<b>royals</b>"))
    notes.save("dict", FeatureNote(feature=2, label="trees", starred=True))
    notes.close()
    return tmp_path / "Ben.sqlite"


def asked(qtbot: QtBot, session: Session, path: Path) -> MergeDialog:
    window = QWidget()
    qtbot.addWidget(window)
    merge = NotesMerge(session, window)
    window.merge = merge  # type: ignore[attr-defined]
    merge.read(path)
    qtbot.waitUntil(lambda: merge.dialog is not None, timeout=10_000)
    assert merge.dialog is not None
    return merge.dialog


def test_conflicts__are_shown_side_by_side_and_settled_one_by_one(
    qtbot: QtBot, session: Session, project: Project, theirs: Path
) -> None:
    write_sample_index(project.index_path("main"))
    session.open_project(project.path)
    assert session.open_index("main")
    session.person = "Anna"
    notes = FeatureNotes.of(session)
    notes.set_label(1, "kings")
    dialog = asked(qtbot, session, theirs)
    assert "1 new label and 0 that are here already. One feature has another label there" in (
        dialog.told.text()
    )
    row = [dialog.table.item(0, column).text() for column in range(3)]
    assert row == ["#1", "kings   (yours)", "<b>royals</b>   (by Ben)"]
    dialog.all.setCurrentIndex(1)
    dialog.all.activated.emit(1)
    assert dialog.chosen() == {1: "theirs"}
    dialog.accept()
    assert notes.label(1) == "<b>royals</b>"
    assert notes.label(2) == "trees"
    assert notes.starred(2)
    assert [one.text for one in notes.actions.labels(1)] == ["<b>royals</b>", "kings"]
    qtbot.waitUntil(lambda: not session.notes_to_come(), timeout=5_000)
    session.undo_stack.undo()
    assert (notes.label(1), notes.label(2), notes.starred(2)) == ("kings", "", False)
    session.undo_stack.redo()
    assert notes.label(1) == "<b>royals</b>"


def test_notes__without_an_index_are_not_asked_for(
    qtbot: QtBot, session: Session, project: Project, theirs: Path, heard: object
) -> None:
    session.open_project(project.path)
    window = QWidget()
    qtbot.addWidget(window)
    merge = NotesMerge(session, window)
    merge.read(theirs)
    assert "into those of an index" in heard.errors[0].what  # type: ignore[attr-defined]
    assert merge.dialog is None


@pytest.mark.parametrize(
    ("chosen", "read"), [("project.toml", ""), ("notes.sqlite", "notes.sqlite")]
)
def test_project__is_chosen_by_its_project_file(
    qtbot: QtBot, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    chosen: str, read: str,
) -> None:  # fmt: skip
    window = QWidget()
    qtbot.addWidget(window)
    intake = Intake(session, window)
    taken: list[Path] = []
    monkeypatch.setattr(intake.merge, "read", taken.append)
    answer = (str(tmp_path / "Ben.saeproj" / chosen), "")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: answer)
    intake.choose_notes()
    assert taken == [tmp_path / "Ben.saeproj" / read]
