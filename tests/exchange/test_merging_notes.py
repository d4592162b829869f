"""Another person's notes are merged: what contradicts is shown, nothing of one's own is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_process import sae_desktop
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.exchange.merging import (
    Comparison,
    Keep,
    compare,
    merge_changes,
    open_theirs_for,
    read_theirs,
)  # fmt: skip
from sae_desktop.project import Project
from sae_desktop.project_changes import ManyChange
from sae_desktop.project_labels import MODEL, PERSON, REJECTED, Label
from sae_desktop.project_notes import FeatureNote, Notes

MINE, THEIRS = "mine", "theirs"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.open_or_create(tmp_path / "mine.saeproj")
    write_sample_index(made.index_path("main"))
    with closing(Notes(made.notes_path)) as notes:
        notes.save(
            "dict", FeatureNote(feature=1, label="kings", author="Anna", note="a", tags=("x",))
        )
        notes.save("dict", FeatureNote(feature=2, label="Queens", author="Anna"))
        notes.add_labels("dict", [Label(feature=3, text="by a model", method=MODEL, score=0.9)])
    return made


@pytest.fixture
def theirs(tmp_path: Path) -> Project:
    made = Project.open_or_create(tmp_path / "Ben.saeproj")
    write_sample_index(made.index_path("main"))
    with closing(Notes(made.notes_path)) as notes:
        notes.save("dict", FeatureNote(feature=1, label="royals", note="b", tags=("y",)))
        notes.save("dict", FeatureNote(feature=2, label="queens"))
        notes.save("dict", FeatureNote(feature=3, label="people", starred=True))
        notes.save("dict", FeatureNote(feature=4, label="only theirs"))
        rejected = Label(feature=1, text="no", method=MODEL, state=REJECTED)
        crowns = Label(feature=1, text="crowns", method=MODEL, author="m")
        notes.add_labels("dict", [rejected, crowns])
    return made


def merge(project: Project, source: Path, **keep: Keep) -> tuple[Comparison, Any]:
    theirs = open_theirs_for(project, "main", source)
    with closing(Notes(project.notes_path)) as notes:
        found = compare(notes, "dict", theirs)
        pairs = merge_changes(
            notes, "dict", theirs, found, who="Anna",
            keep={int(name[1:]): value for name, value in keep.items()},
        )  # fmt: skip
        ManyChange(changes=[change for change, _ in pairs]).apply(notes)
    return found, pairs


def texts(project: Project, feature: int) -> list[tuple[str, str]]:
    with closing(Notes(project.notes_path)) as notes:
        return [(label.text, label.author) for label in notes.labels_of("dict", feature)]


def test_notes__are_compared(project: Project, theirs: Project) -> None:
    found, _ = merge(project, theirs.path)
    assert [(one.feature, one.text) for one in found.new] == [
        (1, "royals"), (1, "crowns"), (3, "people"), (4, "only theirs"),
    ]  # fmt: skip
    assert found.same == 1
    assert [(c.feature, c.mine.text, c.theirs.text) for c in found.conflicts] == [
        (1, "kings", "royals")
    ]
    assert found.conflicts[0].theirs.author == "Ben"


def test_merge__keeps_what_was_asked_for_each_feature(project: Project, theirs: Project) -> None:
    merge(project, theirs.path)
    assert texts(project, 1) == [("kings", "Anna"), ("royals", "Ben"), ("crowns", "m")]
    assert texts(project, 2) == [("Queens", "Anna")]
    assert texts(project, 3) == [("people", "Ben"), ("by a model", "")]
    assert texts(project, 4) == [("only theirs", "Ben")]
    with closing(Notes(project.notes_path)) as notes:
        one, three = notes.note("dict", 1), notes.note("dict", 3)
    assert (one.note, one.tags, three.starred) == ("a\nBen: b", ("x", "y"), True)
    found, pairs = merge(project, theirs.path)  # a second time there is nothing left to do
    assert (found.new, found.conflicts, pairs) == ([], [], [])


@pytest.mark.parametrize(
    ("keep", "after"),
    [
        ("mine", [("kings", "Anna"), ("crowns", "m")]),
        ("theirs", [("royals", "Ben"), ("kings", "Anna"), ("crowns", "m")]),
    ],
)
def test_conflict__is_settled_as_chosen(
    project: Project, theirs: Project, keep: Keep, after: list[tuple[str, str]]
) -> None:
    merge(project, theirs.path, f1=keep)
    assert texts(project, 1) == after


def test_merge__is_taken_back_whole(project: Project, theirs: Project) -> None:
    with closing(Notes(project.notes_path)) as notes:
        before = (list(notes.all_labels("dict")), notes.all("dict"))
    _, pairs = merge(project, theirs.path, f1="theirs")
    with closing(Notes(project.notes_path)) as notes:
        ManyChange(changes=[back for _, back in pairs]).apply(notes)
        after = (list(notes.all_labels("dict")), notes.all("dict"))
    assert after[0] == before[0]
    empty = {f: n for f, n in after[1].items() if f not in before[1]}
    assert all(note == FeatureNote(feature=f, made=note.made) for f, note in empty.items())
    assert {f: n for f, n in after[1].items() if f in before[1]} == before[1]


def test_source__is_not_changed_and_may_be_a_file_or_a_table(
    project: Project, theirs: Project, tmp_path: Path
) -> None:
    alone = tmp_path / "Cleo.sqlite"
    with (
        closing(sqlite3.connect(theirs.notes_path)) as database,
        closing(sqlite3.connect(alone)) as copy,
    ):
        database.backup(copy)
    before = alone.read_bytes()
    found, _ = merge(project, alone)
    assert alone.read_bytes() == before
    assert [one.author for one in found.new] == ["Cleo", "m", "Cleo", "Cleo"]
    table = tmp_path / "Dora.csv"
    table.write_text("feature,label,method\n1,emperors,person\n")
    found, _ = merge(project, table)
    assert [(one.text, one.method, one.author) for one in found.new] == [
        ("emperors", PERSON, "Dora")
    ]


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and no more", b"not notes", b""])
def test_source__that_is_none_is_refused(project: Project, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(content)
    with pytest.raises(UserError):
        open_theirs_for(project, "main", bad)
    with closing(Notes(tmp_path / "other.sqlite")) as notes:
        notes.save("this", FeatureNote(feature=1, label="x"))
        notes.save("that", FeatureNote(feature=1, label="x"))
    with pytest.raises(UserError, match="no notes of the dictionary “dict”"):
        read_theirs(tmp_path / "other.sqlite", "dict")
    with closing(Notes(tmp_path / "far.sqlite")) as notes:
        notes.save("dict", FeatureNote(feature=10**6, label="x"))
    with pytest.raises(UserError, match="no feature 1000000"):
        open_theirs_for(project, "main", tmp_path / "far.sqlite")


def test_command__shows_and_merges(project: Project, theirs: Project) -> None:
    asked = ["labels", "merge", str(project.path), str(theirs.path), "--index", "main", "--json"]
    told = sae_desktop(*asked, "--show").result
    assert (told["new"], told["same"], told["changed_features"]) == (4, 1, 0)
    assert told["conflicts"][0]["theirs"]["text"] == "royals"
    assert texts(project, 4) == []
    done = sae_desktop(*asked, "--for", "1=theirs", "--name", "Anna")
    assert done.status == 0, done.stderr
    assert texts(project, 1)[0] == ("royals", "Ben")
    history = sae_desktop("labels", "history", str(project.path), "1", "--index", "main")
    assert "Anna took in “royals” (by Ben)." in " ".join(history.stdout.split())
    assert sae_desktop(*asked, "--for", "1=nobody").status == 2
