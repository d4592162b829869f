"""Notes are written beside the window: it never waits, nothing is lost, others are heard."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.gui.state import notes_writer
from sae_desktop.gui.state.notes_writer import NotesWriter
from sae_desktop.project_changes import (
    LEFT_FILE,
    ListChange,
    NoteChange,
    StarsChange,
    kept_for_later,
    note_after,
)
from sae_desktop.project_lists import FeatureList, FeatureLists
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes.sqlite"
    Notes(path).close()
    return path


@pytest.fixture
def busy(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program in the middle of a write."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def label(feature: int, text: str) -> NoteChange:
    return NoteChange(dictionary="dict", note=FeatureNote(feature=feature, label=text))


def stored(path: Path) -> dict[int, str]:
    notes = Notes(path)
    try:
        return {feature: note.label for feature, note in notes.all("dict").items()}
    finally:
        notes.close()


def end(writer: NotesWriter) -> None:
    writer.finish()
    writer._thread.join(60.0)
    assert not writer._thread.is_alive()


def test_changes__are_written_in_order(qapp: QApplication, path: Path) -> None:
    writer = NotesWriter(path)
    for number in range(50):
        writer.write(label(1, f"label {number}"))
    writer.write(StarsChange(dictionary="dict", features=[1, 2], starred=True))
    writer.write(ListChange(dictionary="dict", name="mine", content=FeatureList(name="mine")))
    end(writer)
    assert stored(path) == {1: "label 49", 2: ""}
    notes = Notes(path)
    assert notes.starred("dict").tolist() == [1, 2]
    assert FeatureLists(notes).names("dict") == [("mine", 0)]
    notes.close()


def test_busy_file__keeps_nobody_waiting_and_is_said_once_it_lasts(
    qtbot: QtBot, path: Path, busy: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_writer, "_SAY_AFTER_SECONDS", 0.2)
    writer = NotesWriter(path)
    refused: list[object] = []
    writer.refused.connect(refused.append)
    with qtbot.waitSignal(writer.delayed, check_params_cb=lambda on: on is True, timeout=5_000):
        writer.write(label(1, "typed meanwhile"))
        writer.write(label(2, "another"))
        began = time.monotonic()
        writer.settle()
        assert time.monotonic() - began < 1.0  # not SQLite's five seconds
    assert note_after(writer.waiting(), "dict", FeatureNote(feature=1)).label == "typed meanwhile"
    with qtbot.waitSignal(writer.delayed, check_params_cb=lambda on: on is False, timeout=5_000):
        busy.execute("COMMIT")
    end(writer)
    assert not refused
    assert stored(path) == {1: "typed meanwhile", 2: "another"}


def test_file_busy_to_the_end__leaves_the_changes_for_the_next_start(
    qtbot: QtBot, path: Path, busy: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_writer, "LAST_SECONDS", 0.2)
    writer = NotesWriter(path)
    writer.write(label(1, "typed last"))
    end(writer)
    assert kept_for_later(path) == [label(1, "typed last")]
    busy.execute("COMMIT")
    later = NotesWriter(path)
    qtbot.waitUntil(lambda: not path.with_name(LEFT_FILE).exists(), timeout=5_000)
    end(later)
    assert stored(path) == {1: "typed last"}


def test_others__are_heard_and_oneself_is_not(
    qtbot: QtBot, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_writer, "_LOOK_SECONDS", 0.05)
    writer = NotesWriter(path)
    heard: list[None] = []
    writer.changedElsewhere.connect(lambda: heard.append(None))
    writer.write(label(1, "mine"))
    qtbot.wait(300)
    assert not heard
    other = Notes(path)
    other.save("dict", FeatureNote(feature=2, label="theirs"))
    other.close()
    qtbot.waitUntil(lambda: bool(heard), timeout=5_000)
    end(writer)


def test_fault_in_a_write__is_told_and_the_next_is_written(
    qtbot: QtBot, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(notes: Notes, dictionary: str, features: list[int], starred: bool) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Notes, "set_stars", fail)
    writer = NotesWriter(path)
    with qtbot.waitSignal(writer.refused, timeout=5_000):
        writer.write(StarsChange(dictionary="dict", features=[1], starred=True))
    writer.write(label(1, "kept"))
    end(writer)
    assert stored(path) == {1: "kept"}
