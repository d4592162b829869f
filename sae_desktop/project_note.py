"""What is written about one feature, as a row of the notes file: read, and written in parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sae_desktop import project_labels
from sae_desktop.project_labels import (
    AGREED,
    LABEL_COLUMNS,
    MASK,
    PERSON,
    SHOWN_VALUES,
    Label,
    State,
    label_of,
    label_text,
    text_of,
)


class FeatureNote(Struct, frozen=True, kw_only=True):
    """What is written about a feature, with the label that is shown."""

    feature: int
    label: str = ""
    score: float | None = None
    """How well the label fits, 0 to 1; None: not scored."""
    starred: bool = False
    note: str = ""
    number: int = 0
    """Which of the feature's labels is shown (`Label.number`)."""
    method: str = PERSON
    author: str = ""
    made: str = ""
    score_low: float | None = None
    score_high: float | None = None
    measure: str = ""
    state: State = AGREED
    chosen: bool = False
    """Whether a person chose the label that is shown: no job puts another in its place."""
    rating: int = 0
    """How well the label fits in a person's opinion, 1 to 5; 0: not rated."""
    tags: tuple[str, ...] = ()

    @property
    def shown(self) -> Label | None:
        """The label that is shown, without its evidence."""
        if not self.label:
            return None
        common: dict[str, Any] = {name: getattr(self, name) for name in _COMMON}
        return Label(feature=self.feature, text=self.label, shown=True, **common)

    def showing(self, label: Label | None, *, chosen: bool = False) -> FeatureNote:
        """Return the note with another label in the place of the one it shows."""
        label = label or Label(feature=self.feature, text="", state=AGREED)
        common = {name: getattr(label, name) for name in _COMMON}
        return replace(self, label=label.text, chosen=chosen, **common)


_COMMON = tuple(name for name in LABEL_COLUMNS if name not in ("text", "evidence"))
LABEL, STAR, NOTE, TAGS = "label", "star", "note", "tags"
PARTS = (LABEL, STAR, NOTE, TAGS)
"""What a change of a note may be of: the rest of it stays as the file has it."""
_FIELDS = {
    LABEL: ("label", "chosen", *_COMMON),
    STAR: ("starred",),
    NOTE: ("note",),
    TAGS: ("tags",),
}
_LONGEST_TAG, _MOST_TAGS = 60, 50
_SELECT = (
    "SELECT key, starred, note, chosen, "
    "(SELECT group_concat(tag, char(10)) FROM tags WHERE tags.key = notes.key), "
    + SHOWN_VALUES.replace("evidence", "''")
    + " FROM notes"
)


def with_parts(note: FeatureNote, other: FeatureNote, parts: Iterable[str]) -> FeatureNote:
    """Return a note with some parts of another."""
    fields = [field for part in parts for field in _FIELDS[part]]
    return replace(note, **{field: getattr(other, field) for field in fields})


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as they are kept: each a short line, once whatever its case, by name."""
    lines = [label_text(tag)[:_LONGEST_TAG].rstrip() for tag in tags]
    once = {line.casefold(): line for line in reversed(lines) if line}
    return tuple(sorted(once.values(), key=str.casefold))[:_MOST_TAGS]


def read_notes(
    database: sqlite3.Connection, where: str, values: Sequence[int]
) -> Iterator[FeatureNote]:
    """Yield the notes of the keys that a condition names, whatever types the columns hold."""
    for key, starred, note, chosen, tags, *row in database.execute(
        f"{_SELECT} WHERE {where}", values
    ):
        label = label_of(key, row, shown=True)
        common = {name: getattr(label, name) for name in _COMMON}
        yield FeatureNote(
            feature=key & MASK,
            label=label.text,
            starred=bool(starred),
            note=text_of(note),
            chosen=bool(chosen),
            tags=tuple(text_of(tags).splitlines()),
            **common,
        )


def put_notes(
    database: sqlite3.Connection,
    first: int,
    notes: Sequence[FeatureNote],
    parts: Sequence[str],
    who: str,
) -> None:
    """Write some parts of notes within the caller's transaction.

    `first` is the key of the dictionary's feature 0. A label that another takes the place of is
    put aside; of an edited one the earlier text goes to the history.
    """
    evidence: dict[int, str] = {}
    if LABEL in parts:
        at = project_labels.now()
        evidence = _make_room(database, first, notes, who, at)
        notes = [n if n.made or not n.label else replace(n, made=at) for n in notes]
    names = [name for part in (LABEL, STAR, NOTE) if part in parts for name in _FIELDS[part]]
    marks = ", ?" * len(names)
    sets = "".join(f", {name} = excluded.{name}" for name in names)
    database.executemany(
        f"INSERT INTO notes(key{''.join(f', {name}' for name in names)}) VALUES (?{marks}) "
        f"ON CONFLICT(key) DO UPDATE SET changed = CURRENT_TIMESTAMP{sets}",
        ((first | n.feature, *(getattr(n, name) for name in names)) for n in notes),
    )
    database.executemany(
        "UPDATE notes SET evidence = ? WHERE key = ?",
        ((text, key) for key, text in evidence.items()),
    )
    if TAGS in parts:
        _put_tags(database, first, notes)


def _make_room(
    database: sqlite3.Connection, first: int, notes: Sequence[FeatureNote], who: str, at: str
) -> dict[int, str]:
    """Put aside the labels that others take the place of; return key → evidence of the others."""
    keys = [first | note.feature for note in notes]
    there = {
        key: labels[0]
        for key, labels in project_labels.read_labels(database, keys)
        if labels[0].shown
    }
    others = project_labels.with_others(database, keys)
    evidence = {}
    for key, note in zip(keys, notes, strict=True):
        shown = there.get(key)
        if shown is not None and shown.number != note.number:
            project_labels.put_aside(database, [key])
            evidence[key] = ""
        elif shown is not None and shown.text != note.label:
            what = "edited" if note.label else "removed"
            project_labels.record(database, key, who or note.author, what, shown, at)
        if note.label and key in others and (shown is None or shown.number != note.number):
            evidence[key] = project_labels.take_out(database, key, note.number)
    return evidence


def _put_tags(database: sqlite3.Connection, first: int, notes: Iterable[FeatureNote]) -> None:
    database.executemany("DELETE FROM tags WHERE key = ?", ((first | n.feature,) for n in notes))
    database.executemany(
        "INSERT OR IGNORE INTO tags(key, tag) VALUES (?, ?)",
        ((first | n.feature, tag) for n in notes for tag in n.tags),
    )
