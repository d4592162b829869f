"""Copies of the notes of earlier days, made, thinned out and put back."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from sae_desktop import notes_copies
from sae_desktop.engine.engine import Engine
from sae_desktop.errors import UserError
from sae_desktop.notes_copies import FOLDER, KEPT, copies, is_sound, keep_copy, put_back
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "p.saeproj")


def write(project: Project, *labels: str) -> None:
    with closing(Notes(project.notes_path)) as notes:
        notes.set_labels("d", enumerate(labels))


def read(project: Project) -> list[str]:
    with closing(Notes(project.notes_path)) as notes:
        return [note.label for _, note in sorted(notes.all("d").items())]


class _Day(datetime):
    """Each test says what day it is."""

    today = datetime(2026, 3, 1, 9)

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return cls.today


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> type[_Day]:
    monkeypatch.setattr(notes_copies, "datetime", _Day)
    _Day.today = datetime(2026, 3, 1, 9)
    return _Day


def test_copy__is_made_once_a_day_and_only_of_what_changed(
    project: Project, days: type[_Day]
) -> None:
    assert keep_copy(project) is None  # there are no notes yet
    write(project, "one")
    first = keep_copy(project)
    assert first is not None
    assert first.name == "2026-03-01.sqlite"
    write(project, "two")
    assert keep_copy(project) is None
    days.today += timedelta(days=1)
    old = first.stat().st_mtime - 100
    os.utime(first, (old, old))
    assert keep_copy(project) is not None
    days.today += timedelta(days=1)
    assert keep_copy(project) is None  # nothing was written since
    assert [copy.labels for copy in copies(project)] == [1, 1]


def test_copy__holds_what_is_written_while_the_notes_are_open(project: Project) -> None:
    with closing(Notes(project.notes_path)) as notes:
        notes.save("d", FeatureNote(feature=4, label="bridge", note="of gold"))
        keep_copy(project)
        (copy,) = copies(project)
        assert (copy.labels, copy.notes, copy.replaced) == (1, 1, False)
        assert sorted(path.name for path in copy.path.parent.iterdir()) == [copy.path.name]


def test_copy__the_engine_makes_it_and_leaves_nothing_beside(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "one")
    before = sorted(path.name for path in project.path.iterdir())
    engine = Engine.__new__(Engine)
    monkeypatch.setattr(engine, "_project", None, raising=False)
    monkeypatch.setattr(engine, "_workers", SimpleNamespace(writing=list), raising=False)
    monkeypatch.setattr(engine, "release", lambda: None, raising=False)
    engine._take_project(project)
    engine._lock.release()
    assert [copy.labels for copy in copies(project)] == [1]
    after = sorted(path.name for path in project.path.iterdir() if not path.name.startswith("."))
    assert after == sorted([*before, FOLDER])


def test_copy__old_ones_go(project: Project, days: type[_Day]) -> None:
    for number in range(KEPT + 3):
        write(project, f"label {number}")
        for path in (project.path / FOLDER).glob("*"):
            os.utime(path, (number, number))
        assert keep_copy(project) is not None
        days.today += timedelta(days=1)
    names = sorted(path.stem for path in (project.path / FOLDER).iterdir())
    assert len(names) == KEPT
    assert names[0] == "2026-03-04"


def test_put_back__the_notes_are_as_they_were_and_what_was_there_is_kept(
    project: Project,
) -> None:
    write(project, "one", "two")
    keep_copy(project)
    write(project, "spoilt", "spoilt", "three")
    (copy,) = copies(project)
    put_back(project, copy)
    assert read(project) == ["one", "two"]
    replaced = next(one for one in copies(project) if one.replaced)
    assert replaced.labels == 3
    put_back(project, replaced)
    assert read(project) == ["spoilt", "spoilt", "three"]


def test_put_back__notes_that_are_damaged_are_replaced(project: Project) -> None:
    write(project, *(f"label {n}" for n in range(300)))
    keep_copy(project)
    data = project.notes_path.read_bytes()
    project.notes_path.write_bytes(b"no database" + data[11:])
    assert not is_sound(project.notes_path)
    with pytest.raises(UserError):
        Notes(project.notes_path)
    (copy,) = copies(project)
    put_back(project, copy)
    assert len(read(project)) == 300


def test_damaged__notes_are_not_copied_and_damaged_copies_not_put_back(
    project: Project, days: type[_Day]
) -> None:
    write(project, *(f"label {n}" for n in range(3000)))
    copy = keep_copy(project)
    assert copy is not None
    days.today += timedelta(days=1)
    data = bytearray(project.notes_path.read_bytes())
    data[4096:8192] = os.urandom(4096)
    project.notes_path.write_bytes(bytes(data))
    os.utime(copy, (1, 1))
    assert keep_copy(project) is None
    (found,) = copies(project)
    copy.write_bytes(bytes(data))
    before = project.notes_path.read_bytes()
    with pytest.raises(UserError, match="damaged"):
        put_back(project, found)
    assert project.notes_path.read_bytes() == before
