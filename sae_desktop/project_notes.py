"""What a person writes about features: labels, scores, stars, notes, in the project's SQLite file.

A note's key holds its dictionary and its feature: (number of the dictionary << 32) | feature.
So a dictionary's notes are one range of keys, in the table as in the full-text index, and a
search of a million labels needs no join.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.storage.sqlite_files import Database

SCHEMA_VERSION = 2
_SHIFT = 32
_MASK = (1 << _SHIFT) - 1
_AT_ONCE = 500
"""Keys in one question; SQLite bounds how many it takes."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dictionaries (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS notes (
    key INTEGER PRIMARY KEY,
    label TEXT NOT NULL DEFAULT '',
    score REAL,
    starred INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS notes_by_label ON notes(label COLLATE NOCASE) WHERE label != '';
CREATE INDEX IF NOT EXISTS notes_starred ON notes(key) WHERE starred;
CREATE INDEX IF NOT EXISTS notes_scored ON notes(key, score) WHERE score IS NOT NULL;
CREATE VIRTUAL TABLE IF NOT EXISTS note_search USING fts5(
    label, note, content='notes', content_rowid='key', tokenize='unicode61',
    prefix='1 2 3', detail=none, columnsize=0
);
CREATE TRIGGER IF NOT EXISTS note_added AFTER INSERT ON notes BEGIN
    INSERT INTO note_search(rowid, label, note) VALUES (new.key, new.label, new.note);
END;
CREATE TRIGGER IF NOT EXISTS note_removed AFTER DELETE ON notes BEGIN
    INSERT INTO note_search(note_search, rowid, label, note)
        VALUES ('delete', old.key, old.label, old.note);
END;
CREATE TRIGGER IF NOT EXISTS note_changed AFTER UPDATE OF label, note ON notes BEGIN
    INSERT INTO note_search(note_search, rowid, label, note)
        VALUES ('delete', old.key, old.label, old.note);
    INSERT INTO note_search(rowid, label, note) VALUES (new.key, new.label, new.note);
END;
CREATE TABLE IF NOT EXISTS lists (
    number INTEGER PRIMARY KEY,
    dictionary INTEGER NOT NULL REFERENCES dictionaries(number),
    name TEXT NOT NULL,
    annotation TEXT NOT NULL DEFAULT '',
    UNIQUE (dictionary, name)
);
CREATE TABLE IF NOT EXISTS list_members (
    list INTEGER NOT NULL REFERENCES lists(number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    feature INTEGER NOT NULL,
    annotation TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (list, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS filters (
    name TEXT PRIMARY KEY,
    conditions TEXT NOT NULL
);
"""

_TOKENIZER = """
CREATE VIRTUAL TABLE asked USING fts5(text, tokenize='unicode61');
CREATE VIRTUAL TABLE asked_words USING fts5vocab('asked', 'row');
"""

_FROM_FIRST_SCHEMA = """
INSERT OR IGNORE INTO dictionaries(name) SELECT DISTINCT dictionary FROM feature_notes;
INSERT INTO notes(key, label, starred, note, changed)
    SELECT (d.number << 32) | f.feature, f.label, f.starred, f.note, f.changed
    FROM feature_notes f JOIN dictionaries d ON d.name = f.dictionary;
DROP TABLE feature_search;
DROP TABLE feature_notes;
"""

Features = npt.NDArray[np.int64]


class FeatureNote(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    label: str = ""
    score: float | None = None
    """How well the label fits, 0 to 1; None: not scored."""
    starred: bool = False
    note: str = ""


class Notes:
    """Labels, scores, stars and notes of one project. Each change is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; where the folder is read-only, open it for reading only.

        A file of the first schema is carried over. Raises UserError when the file is not a notes
        file, or a newer one.
        """
        self.path = path
        self._tokenizer: sqlite3.Connection | None = None
        try:
            self.database, self.read_only = _connect(path)
            version = int(self.database.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                raise UserError(
                    f"“{path.name}” was written by a newer SAE Desktop.",
                    next_step="Update SAE Desktop to open it.",
                )
            if version < SCHEMA_VERSION:
                self._prepare(version)
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The notes file “{path}” cannot be opened: {error}.",
                kept="It was left unchanged.",
                next_step="Move it elsewhere to start a new one.",
            ) from error

    def _prepare(self, version: int) -> None:
        if self.read_only:  # a copy in memory takes the schema; the file stays as it is
            copy = sqlite3.connect(":memory:", factory=Database)
            self.database.backup(copy)
            self.database.close()
            self.database = copy
        script = _SCHEMA + (_FROM_FIRST_SCHEMA if version == 1 else "")
        script += f"PRAGMA user_version = {SCHEMA_VERSION};"
        self.database.executescript(f"BEGIN;{script}COMMIT;")

    # ------------------------------------------------------------------ keys
    def _number(self, dictionary: str, *, make: bool = False) -> int:
        """Return a dictionary's number; 0 for one without notes."""
        row = self.database.execute(
            "SELECT number FROM dictionaries WHERE name = ?", (dictionary,)
        ).fetchone()
        if row is None and make:
            done = self.database.execute("INSERT INTO dictionaries(name) VALUES (?)", (dictionary,))
            return int(done.lastrowid or 0)
        return int(row[0]) if row else 0

    def _range(self, dictionary: str) -> tuple[int, int]:
        number = self._number(dictionary)
        return number << _SHIFT, (number << _SHIFT) | _MASK

    def _features(self, query: str, values: Sequence[Any]) -> Features:
        """Return the features of a query whose one column is a key."""
        rows = self.database.execute(query, values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64) & _MASK

    # ------------------------------------------------------------------ reading
    def note(self, dictionary: str, feature: int) -> FeatureNote:
        """Return a feature's note, an empty one where nothing was written."""
        return self.notes(dictionary, [feature]).get(feature) or FeatureNote(feature=feature)

    def notes(self, dictionary: str, features: Iterable[int]) -> dict[int, FeatureNote]:
        """Return feature → note for those of `features` that have one."""
        number = self._number(dictionary)
        keys = [(number << _SHIFT) | int(feature) for feature in features]
        found: dict[int, FeatureNote] = {}
        for first in range(0, len(keys), _AT_ONCE):
            some = keys[first : first + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self.database.execute(f"{_SELECT} WHERE key IN ({marks})", some)
            found |= {note.feature: note for note in map(_note, rows)}
        return found

    def label_reader(self, dictionary: str) -> Callable[[Iterable[int]], dict[int, str]]:
        """Return what gives feature → label for those of some features that have one."""

        def read(features: Iterable[int]) -> dict[int, str]:
            notes = self.notes(dictionary, features) if self.count_labels(dictionary) else {}
            return {feature: note.label for feature, note in notes.items() if note.label}

        return read

    def all(self, dictionary: str) -> dict[int, FeatureNote]:
        """Return feature → note for every feature of the dictionary that has one."""
        rows = self.database.execute(
            f"{_SELECT} WHERE key BETWEEN ? AND ?", self._range(dictionary)
        )
        return {note.feature: note for note in map(_note, rows)}

    def starred(self, dictionary: str) -> Features:
        """Return the features with a star, ascending."""
        return self._features(
            "SELECT key FROM notes WHERE starred AND key BETWEEN ? AND ? ORDER BY key",
            self._range(dictionary),
        )

    def scores(self, dictionary: str) -> tuple[Features, npt.NDArray[np.float32]]:
        """Return (features, scores) of the features whose label was scored."""
        rows = self.database.execute(
            "SELECT key, score FROM notes WHERE score IS NOT NULL AND key BETWEEN ? AND ?",
            self._range(dictionary),
        ).fetchall()
        features = np.array([row[0] for row in rows], dtype=np.int64) & _MASK
        return features, np.array([row[1] for row in rows], dtype=np.float32)

    def by_label(self, dictionary: str) -> Features:
        """Return the features with a label in the order of their labels, case left aside."""
        return self._features(
            "SELECT key FROM notes INDEXED BY notes_by_label "
            "WHERE label != '' AND key BETWEEN ? AND ? ORDER BY label COLLATE NOCASE",
            self._range(dictionary),
        )

    def count_labels(self, dictionary: str) -> int:
        """Return how many features have a label."""
        row = self.database.execute(
            "SELECT count(*) FROM notes WHERE label != '' AND key BETWEEN ? AND ?",
            self._range(dictionary),
        ).fetchone()
        return int(row[0])

    def search(self, dictionary: str, text: str) -> Features:
        """Return the features whose label or note has words beginning with those of `text`."""
        words = " ".join(f'"{word}"*' for word in self._words(text))
        if not words:
            return np.empty(0, dtype=np.int64)
        # One string of all keys is read in half the time of as many rows.
        row = self.database.execute(
            f"SELECT group_concat(rowid & {_MASK}) FROM note_search "
            "WHERE note_search MATCH ? AND rowid BETWEEN ? AND ?",
            (words, *self._range(dictionary)),
        ).fetchone()
        return np.sort(np.fromstring(row[0] or "", dtype=np.int64, sep=","))

    def _words(self, text: str) -> list[str]:
        """Return the words of `text` as the full-text index has them.

        The index keeps no positions (detail=none), so it refuses a word that its tokenizer
        takes for several, such as “don’t”. Only the tokenizer knows which those are.
        """
        if self._tokenizer is None:
            self._tokenizer = sqlite3.connect(":memory:", isolation_level=None)
            self._tokenizer.executescript(_TOKENIZER)
        self._tokenizer.execute("DELETE FROM asked")
        whole = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        self._tokenizer.execute("INSERT INTO asked VALUES (?)", (whole,))
        return [row[0] for row in self._tokenizer.execute("SELECT term FROM asked_words")]

    # ------------------------------------------------------------------ writing
    def save(self, dictionary: str, note: FeatureNote) -> None:
        """Store one feature's note. Raises UserError when the project is read-only."""
        try:
            with self.database:
                self.put_all(dictionary, [note])
        except sqlite3.OperationalError as error:
            raise self.refused(f"The label of feature {note.feature}", error) from error

    def put_all(self, dictionary: str, notes: Iterable[FeatureNote]) -> None:
        """Store many notes within the caller's transaction. Raises sqlite3.OperationalError."""
        first = self._number(dictionary, make=True) << _SHIFT
        self.database.executemany(
            "INSERT INTO notes(key, label, score, starred, note) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT(key) DO UPDATE SET label = excluded.label, "
            "score = excluded.score, starred = excluded.starred, note = excluded.note, "
            "changed = CURRENT_TIMESTAMP",
            ((first | n.feature, n.label, n.score, int(n.starred), n.note) for n in notes),
        )

    def set_labels(self, dictionary: str, labels: Iterable[tuple[int, str]]) -> None:
        """Label many features at once; stars and notes stay. Raises UserError as `save` does."""
        try:
            with self.database:
                first = self._number(dictionary, make=True) << _SHIFT
                self.database.executemany(
                    "INSERT INTO notes(key, label) VALUES (?, ?) "
                    "ON CONFLICT(key) DO UPDATE SET label = excluded.label, "
                    "changed = CURRENT_TIMESTAMP",
                    ((first | feature, label) for feature, label in labels),
                )
        except sqlite3.OperationalError as error:
            raise self.refused("The labels", error) from error

    def set_stars(self, dictionary: str, features: Iterable[int], starred: bool) -> None:
        """Star many features at once, or take their stars away. Raises UserError as `save`."""
        try:
            with self.database:
                first = self._number(dictionary, make=True) << _SHIFT
                self.database.executemany(
                    "INSERT INTO notes(key, starred) VALUES (?, ?) "
                    "ON CONFLICT(key) DO UPDATE SET starred = excluded.starred, "
                    "changed = CURRENT_TIMESTAMP",
                    ((first | int(feature), int(starred)) for feature in features),
                )
        except sqlite3.OperationalError as error:
            raise self.refused("The stars", error) from error

    def refused(self, what: str, error: Exception) -> UserError:
        """Return the error of a change that the file did not take."""
        return UserError(
            f"{what} could not be saved: {error}.",
            next_step="Copy the project to a folder you can write to.",
        )

    def close(self) -> None:
        self.database.close()
        if self._tokenizer is not None:
            self._tokenizer.close()


_SELECT = "SELECT key, label, score, starred, note FROM notes"


def _note(row: tuple[Any, ...]) -> FeatureNote:
    key, label, score, starred, note = row
    # SQLite keeps a value of any type in any column.
    return FeatureNote(
        feature=key & _MASK,
        label=label if isinstance(label, str) else "",
        score=float(score) if isinstance(score, int | float) else None,
        starred=bool(starred),
        note=note if isinstance(note, str) else "",
    )


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    writable = path.parent.stat().st_mode & 0o222 != 0
    if writable:
        try:
            database = sqlite3.connect(path, timeout=5.0, factory=Database)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA foreign_keys = ON")
        except sqlite3.OperationalError:
            writable = False
        else:
            return database, False
    target = f"{path.absolute().as_uri()}?mode=ro&immutable=1" if path.exists() else ":memory:"
    return sqlite3.connect(target, uri=True, factory=Database), True
