"""The project's SQLite file of notes: what it holds, and older ones carried over.

A note's key holds its dictionary and its feature: (number of the dictionary << 32) | feature.
So a dictionary's notes are one range of keys, in every table as in the full-text index, and a
search of a million labels needs no join.

A label is in one place only: the one that is shown in its feature's row of `notes`, all others
in `labels`. Choosing another exchanges them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.storage.sqlite_files import Database

SCHEMA_VERSION = 3

_NOTES = """
CREATE TABLE IF NOT EXISTS notes (
    key INTEGER PRIMARY KEY,
    label TEXT NOT NULL DEFAULT '',
    score REAL,
    starred INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
"""

_SHOWN_LABEL = """
ALTER TABLE notes ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notes ADD COLUMN method TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN made TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN score_low REAL;
ALTER TABLE notes ADD COLUMN score_high REAL;
ALTER TABLE notes ADD COLUMN measure TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN evidence TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN state TEXT NOT NULL DEFAULT 'agreed';
ALTER TABLE notes ADD COLUMN chosen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notes ADD COLUMN rating INTEGER NOT NULL DEFAULT 0;
"""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dictionaries (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE INDEX IF NOT EXISTS notes_by_label ON notes(label COLLATE NOCASE) WHERE label != '';
CREATE INDEX IF NOT EXISTS notes_starred ON notes(key) WHERE starred;
CREATE INDEX IF NOT EXISTS notes_scored ON notes(key, score) WHERE score IS NOT NULL;
CREATE INDEX IF NOT EXISTS notes_by_method ON notes(key, method) WHERE method != '';
CREATE INDEX IF NOT EXISTS notes_rated ON notes(key, rating) WHERE rating;
CREATE TABLE IF NOT EXISTS labels (
    key INTEGER NOT NULL,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    method TEXT NOT NULL DEFAULT '',
    author TEXT NOT NULL DEFAULT '',
    made TEXT NOT NULL DEFAULT '',
    score REAL,
    score_low REAL,
    score_high REAL,
    measure TEXT NOT NULL DEFAULT '',
    evidence TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'proposed',
    rating INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS labels_by_method ON labels(method, state, key);
CREATE TABLE IF NOT EXISTS label_history (
    key INTEGER NOT NULL,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    method TEXT NOT NULL,
    author TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_key ON label_history(key);
CREATE TABLE IF NOT EXISTS tags (
    key INTEGER NOT NULL,
    tag TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (key, tag)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_by_name ON tags(tag, key);
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

_FROM_FIRST = """
INSERT OR IGNORE INTO dictionaries(name) SELECT DISTINCT dictionary FROM feature_notes;
INSERT INTO notes(key, label, starred, note, changed)
    SELECT (d.number << 32) | f.feature, f.label, f.starred, f.note, f.changed
    FROM feature_notes f JOIN dictionaries d ON d.name = f.dictionary;
DROP TABLE feature_search;
DROP TABLE feature_notes;
"""

TOKENIZER = """
CREATE VIRTUAL TABLE asked USING fts5(text, tokenize='unicode61');
CREATE VIRTUAL TABLE asked_words USING fts5vocab('asked', 'row');
"""
"""In memory: takes a text apart as `note_search` does."""


def open_notes_file(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open or create the file; return it, and whether it can only be read.

    A file of an earlier schema is carried over; where the folder is read-only, in a copy in
    memory. Raises UserError when it is not a notes file, or a newer one.
    """
    try:
        database, read_only = _connect(path)
        version = _version(database)
        if version > SCHEMA_VERSION:
            raise UserError(
                f"“{path.name}” was written by a newer SAE Desktop.",
                next_step="Update SAE Desktop to open it.",
            )
        if version < SCHEMA_VERSION:
            if read_only:
                copy = sqlite3.connect(":memory:", factory=Database)
                database.backup(copy)
                database.close()
                database = copy
            _carry_over(database)
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"The notes file “{path}” cannot be opened: {error}.",
            kept="It was left unchanged.",
            next_step="Move it elsewhere to start a new one.",
        ) from error
    database.text_factory = _text
    return database, read_only


def _text(value: bytes) -> str:
    """Return a text of the file; SQLite does not check that one is UTF-8."""
    return value.decode("utf-8", "replace")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _carry_over(database: sqlite3.Connection) -> None:
    """Bring the file to this schema in one transaction."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        version = _version(database)  # another process may have been here first
        if version >= SCHEMA_VERSION:
            return
        script = _NOTES + _SHOWN_LABEL + _SCHEMA + (_FROM_FIRST if version == 1 else "")
        for statement in _statements(script):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> Iterator[str]:
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            yield held
            held = ""


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
