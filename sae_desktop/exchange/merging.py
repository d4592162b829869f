"""Another person's notes beside one's own: what is new, what is the same, what contradicts.

Nothing of one's own is lost: their labels are added beside the ones there are, and where both have
a label of the same feature the person says which is shown. Free of torch and Qt.
"""

from __future__ import annotations

import sqlite3
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.label_rows import take_rows, told_row
from sae_desktop.exchange.labels import read_rows
from sae_desktop.exchange.package_notes import read_notes as read_package_notes
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.project_changes import NoteChange
from sae_desktop.project_labels import (
    AGREED,
    PERSON,
    REJECTED,
    Label,
    label_text,
    new_number,
    now,
)
from sae_desktop.project_note import LABEL, NOTE, STAR, TAGS, FeatureNote, clean_tags
from sae_desktop.project_notes import Notes
from sae_desktop.storage.own_folders import TEMPORARY_PREFIX

Keep = Literal["both", "mine", "theirs"]
"""Of two labels that contradict: both, mine shown; only mine; both, theirs shown."""
KEEPS: tuple[Keep, ...] = ("both", "mine", "theirs")


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """What another person wrote of one dictionary."""

    author: str
    """Who wrote what is not signed."""
    labels: list[Label]
    """All but rejected ones, the shown one of each feature first."""
    notes: list[FeatureNote]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two people's labels of one feature."""

    feature: int
    mine: Label
    theirs: Label


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Their labels beside one's own."""

    new: list[Label]
    """Of these, some contradict."""
    same: int
    """Labels that are here already."""
    conflicts: list[Conflict]


# ---------------------------------------------------------------- theirs
def read_theirs(
    path: Path, dictionary: str, *, author: str = "", index: FeatureIndex | None = None
) -> Theirs:
    """Read another person's notes of a dictionary: of a project, its notes.sqlite, a package, or
    a table of labels, for which `index` must be given. The source is not changed.

    Where the source has no dictionary of this name but a single one, that is taken. Raises
    UserError.
    """
    signed = label_text(author) or label_text(path.resolve().stem if path.suffix else path.name)
    if (path / "notes.sqlite").is_file():
        return _of_file(path / "notes.sqlite", dictionary, signed)
    if path.is_file() and zipfile.is_zipfile(path):
        notes, others = read_package_notes(path)
        shown = [note.shown for note in notes if note.shown is not None]
        return _theirs([*shown, *others], notes, signed)
    if path.is_file() and _is_sqlite(path):
        return _of_file(path, dictionary, signed)
    if index is None:
        raise UserError(
            f"“{path.name}” holds no notes.",
            next_step="Choose a project, its notes.sqlite, a package or a table of labels.",
        )
    return _of_table(path, index, signed)


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _of_file(path: Path, dictionary: str, author: str) -> Theirs:
    """Read a copy: opening the notes of an earlier release would change them."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder:
        copy = Path(folder) / "notes.sqlite"
        try:
            with (
                closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as theirs,
                closing(sqlite3.connect(copy)) as ours,
            ):
                theirs.backup(ours)
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The notes in “{path}” cannot be read: {error}.", kept="Nothing was changed."
            ) from error
        with closing(Notes(copy)) as notes:
            named = _named(notes, dictionary, path)
            return _theirs(notes.all_labels(named), notes.all(named).values(), author)


def _named(notes: Notes, dictionary: str, path: Path) -> str:
    names = notes.dictionaries()
    if dictionary in names:
        return dictionary
    if len(names) == 1:
        return names[0]
    raise UserError(
        f"“{path.name}” has no notes of the dictionary “{dictionary}”.",
        kept="Nothing was changed.",
        next_step=f"It has notes of: {', '.join(names)}." if names else "",
    )


def _of_table(path: Path, index: FeatureIndex, author: str) -> Theirs:
    rows = [told_row(row, n, index, author) for n, row in enumerate(read_rows(path), 1)]
    with (
        tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder,
        closing(Notes(Path(folder) / "n.sqlite")) as made,
    ):
        with made.database:
            take_rows(made, "theirs", rows)
        return _theirs(made.all_labels("theirs"), made.all("theirs").values(), author)


def _theirs(labels: Iterable[Label], notes: Iterable[FeatureNote], author: str) -> Theirs:
    signed = [
        label if label.author or label.method else msgspec.structs.replace(label, author=author)
        for label in labels
        if label.state != REJECTED and label.text
    ]
    return Theirs(author=author, labels=signed, notes=list(notes))


# ---------------------------------------------------------------- compared
def compare(notes: Notes, dictionary: str, theirs: Theirs) -> Comparison:
    """Put their labels beside one's own."""
    mine = notes.labels(dictionary, {label.feature for label in theirs.labels})
    new: list[Label] = []
    conflicts: list[Conflict] = []
    same = 0
    for label in theirs.labels:
        held = mine.get(label.feature, [])
        if any(one.text.casefold() == label.text.casefold() for one in held):
            same += 1
            continue
        new.append(label)
        shown = next((one for one in held if one.shown), None)
        if shown is not None and label.shown and _is_persons(shown) and _is_persons(label):
            conflicts.append(Conflict(feature=label.feature, mine=shown, theirs=label))
    return Comparison(new=new, same=same, conflicts=conflicts)


def _is_persons(label: Label) -> bool:
    return label.method == PERSON or label.state == AGREED


# ---------------------------------------------------------------- merged
def merge_changes(
    notes: Notes,
    dictionary: str,
    theirs: Theirs,
    found: Comparison,
    *,
    who: str,
    keep: Mapping[int, Keep] | None = None,
) -> list[tuple[NoteChange, NoteChange]]:
    """Return the changes that merge, feature by feature, each with the one that takes it back.

    `keep` says for features that contradict what is kept; both where it says nothing. Stars and
    tags are added, a note is put under one's own.
    """
    keep = keep or {}
    conflicts = {conflict.feature: conflict for conflict in found.conflicts}
    new: dict[int, list[Label]] = {}
    number, made = new_number(), now()
    for place, label in enumerate(found.new):
        conflict = conflicts.get(label.feature)
        dropped = keep.get(label.feature) == "mine"
        if not (conflict is not None and conflict.theirs is label and dropped):
            added = msgspec.structs.replace(
                label, number=number + place, made=label.made or made, rating=0
            )
            new.setdefault(label.feature, []).append(added)
    told = {note.feature: note for note in theirs.notes}
    before = notes.notes(dictionary, {*new, *told})
    changes = []
    for feature in sorted({*new, *told}):
        note = before.get(feature) or FeatureNote(feature=feature)
        change = _merged(
            dictionary, note, new.get(feature, []), told.get(feature), theirs.author, who,
            over=keep.get(feature) == "theirs",
        )  # fmt: skip
        if change is not None:
            changes.append(change)
    return changes


def _merged(
    dictionary: str, before: FeatureNote, new: list[Label], told: FeatureNote | None,
    author: str, who: str, *, over: bool,
) -> tuple[NoteChange, NoteChange] | None:  # fmt: skip
    after = before
    own = before.label and (before.method == PERSON or before.state == AGREED or before.chosen)
    first = next((label for label in new if label.shown), None)
    if first is not None and (over or not own):
        after = after.showing(first)
    if told is not None:
        tags = clean_tags([*before.tags, *told.tags])
        after = msgspec.structs.replace(
            after, starred=before.starred or told.starred, tags=tags,
            note=_both(before.note, told.note, author),
        )  # fmt: skip
    if after == before and not new:
        return None
    others = [
        msgspec.structs.replace(label, shown=False)
        for label in new
        if label is not first or after.number != label.number
    ]
    parts = (LABEL, STAR, NOTE, TAGS)
    change = NoteChange(
        dictionary=dictionary, note=after, parts=parts, who=who, others=others,
        steps=[("merged", label) for label in new],
    )  # fmt: skip
    back = NoteChange(
        dictionary=dictionary, note=before, parts=parts, who=who,
        without=[label.number for label in new], steps=[("undone", label) for label in new],
    )  # fmt: skip
    return change, back


def _both(mine: str, theirs: str, author: str) -> str:
    if not theirs or theirs in mine:
        return mine
    return f"{mine}\n{author}: {theirs}" if mine else theirs


def open_theirs_for(project: Project, index: str, path: Path, author: str = "") -> Theirs:
    """Read another person's notes for the dictionary of an index. Raises UserError."""
    opened = FeatureIndex(project.index_path(index))
    theirs = read_theirs(path, opened.info.dictionary, author=author, index=opened)
    for number in {label.feature for label in theirs.labels} | {n.feature for n in theirs.notes}:
        opened.check_feature(number)
    return theirs
