"""What a person writes about features: labels, stars and notes, in the project's SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS feature_notes (
    dictionary TEXT NOT NULL,
    feature INTEGER NOT NULL,
    label TEXT NOT NULL DEFAULT '',
    starred INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (dictionary, feature)
);
CREATE VIRTUAL TABLE IF NOT EXISTS feature_search USING fts5(
    label, note, content='feature_notes', tokenize='unicode61'
);
CREATE TRIGGER IF NOT EXISTS feature_added AFTER INSERT ON feature_notes BEGIN
    INSERT INTO feature_search(rowid, label, note) VALUES (new.rowid, new.label, new.note);
END;
CREATE TRIGGER IF NOT EXISTS feature_removed AFTER DELETE ON feature_notes BEGIN
    INSERT INTO feature_search(feature_search, rowid, label, note)
        VALUES ('delete', old.rowid, old.label, old.note);
END;
CREATE TRIGGER IF NOT EXISTS feature_changed AFTER UPDATE ON feature_notes BEGIN
    INSERT INTO feature_search(feature_search, rowid, label, note)
        VALUES ('delete', old.rowid, old.label, old.note);
    INSERT INTO feature_search(rowid, label, note) VALUES (new.rowid, new.label, new.note);
END;
"""


class FeatureNote(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    label: str = ""
    starred: bool = False
    note: str = ""


class Notes:
    """Labels, stars and notes of one project. Each change is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; where the folder is read-only, open it for reading only.

        Raises UserError when the file is no notes file, or a newer one.
        """
        try:
            self._database, self.read_only = _connect(path)
            version = int(self._database.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                raise UserError(
                    f"“{path.name}” was written by a newer SAE Desktop.",
                    next_step="Update SAE Desktop to open it.",
                )
            if not self.read_only and version < SCHEMA_VERSION:
                self._database.executescript(_SCHEMA)
                self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The notes file “{path}” cannot be opened: {error}.",
                kept="It was left as it is.",
                next_step="Move it aside to begin a new one.",
            ) from error

    def all(self, dictionary: str) -> dict[int, FeatureNote]:
        """Return feature → note for every feature of the dictionary that has one."""
        try:
            rows = self._database.execute(
                "SELECT feature, label, starred, note FROM feature_notes WHERE dictionary = ?",
                (dictionary,),
            )
        except sqlite3.OperationalError:  # a read-only project that never had notes
            return {}
        return {
            f: FeatureNote(feature=f, label=label, starred=bool(starred), note=note)
            for f, label, starred, note in rows
        }

    def save(self, dictionary: str, note: FeatureNote) -> None:
        """Store one feature's note. Raises UserError when the project is read-only."""
        try:
            with self._database:
                self._database.execute(
                    "INSERT INTO feature_notes(dictionary, feature, label, starred, note) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT(dictionary, feature) DO UPDATE SET "
                    "label = excluded.label, starred = excluded.starred, note = excluded.note, "
                    "changed = CURRENT_TIMESTAMP",
                    (dictionary, note.feature, note.label, int(note.starred), note.note),
                )
        except sqlite3.OperationalError as error:
            raise UserError(
                f"The label of feature {note.feature} could not be saved: {error}.",
                next_step="Copy the project to a folder of yours.",
            ) from error

    def search(self, dictionary: str, text: str) -> list[int]:
        """Return features whose label or note has words beginning with those of `text`."""
        words = " ".join('"' + word.replace('"', '""') + '"*' for word in text.split())
        if not words:
            return []
        rows = self._database.execute(
            "SELECT n.feature FROM feature_search s JOIN feature_notes n ON n.rowid = s.rowid "
            "WHERE feature_search MATCH ? AND n.dictionary = ? ORDER BY rank",
            (words, dictionary),
        )
        return [int(row[0]) for row in rows]

    def close(self) -> None:
        self._database.close()


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    writable = path.parent.stat().st_mode & 0o222 != 0
    if writable:
        try:
            database = sqlite3.connect(path, timeout=5.0)
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            writable = False
        else:
            return database, False
    target = f"file:{path}?mode=ro&immutable=1" if path.exists() else ":memory:"
    return sqlite3.connect(target, uri=True), True
