"""Notes of an earlier day in the window: listed, put back, and offered where they are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from frame_client import FakeClient
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.project.notes_copies import NotesCopiesDialog
from sae_desktop.gui.state.session import Session
from sae_desktop.notes_copies import copies, keep_copy
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes


def write(project: Project, *labels: str) -> None:
    with closing(Notes(project.notes_path)) as notes:
        notes.set_labels("d", enumerate(labels))


def read(session: Session) -> list[str]:
    assert session.notes is not None
    return [note.label for _, note in sorted(session.notes.all("d").items())]


@pytest.fixture
def copied(window: MainWindow, project: Project) -> Iterator[MainWindow]:
    window.session.close_project()
    write(project, "one", "two")
    keep_copy(project)
    write(project, "spoilt")
    yield window
    for toast in window.toasts.toasts():
        toast.dismiss()


def test_dialog__puts_back_what_was_there(copied: MainWindow, project: Project) -> None:
    session = copied.session
    assert session.open_project(project.path)
    assert read(session) == ["spoilt", "two"]
    dialog = NotesCopiesDialog(session, copied)
    assert dialog.list.count() == 1
    assert "2 labels, 0 notes" in dialog.list.item(0).text()
    assert not dialog.put_back.isEnabled()
    dialog.list.setCurrentRow(0)
    dialog.put_back.click()
    assert read(session) == ["one", "two"]
    assert session.project is not None
    again = NotesCopiesDialog(session, copied)
    assert any("until a copy took its place" in again.list.item(n).text() for n in range(2))


def test_dialog__waits_for_jobs(
    copied: MainWindow, project: Project, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = copied.session
    assert session.open_project(project.path)

    class Running:
        title = "Label the features"

    monkeypatch.setattr(session, "running_jobs", lambda: [Running()])
    dialog = NotesCopiesDialog(session, copied)
    dialog.list.setCurrentRow(0)
    dialog.put_back.click()
    assert read(session) == ["spoilt", "two"]
    assert "Label the features" in copied.toasts.toasts()[-1].error.what


def test_dialog__says_that_there_is_none(window: MainWindow) -> None:
    dialog = NotesCopiesDialog(window.session, window)
    assert dialog.list.count() == 0
    assert not dialog.put_back.isEnabled()


def test_open__offers_a_copy_of_notes_that_are_damaged(
    copied: MainWindow, project: Project, qtbot: QtBot
) -> None:
    session = copied.session
    project.notes_path.write_bytes(b"no database" * 900)
    assert not session.open_project(project.path)
    said = [toast.error.what for toast in copied.toasts.toasts()]
    assert any("cannot be opened" in one for one in said)
    offer = next(t for t in copied.toasts.toasts() if "There is a copy" in t.error.what)
    button = next(b for b in offer.findChildren(QPushButton) if b.text() == "Put it back")
    button.click()
    assert session.project is not None
    assert read(session) == ["one", "two"]
    assert [copy.labels for copy in copies(project) if not copy.replaced] == [2]
