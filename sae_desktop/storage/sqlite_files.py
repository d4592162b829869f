"""SQLite files that may come from anyone: damage in one is described in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from sae_desktop.errors import UserError

_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Of statements that are right: tables are missing, of another form, or cannot be read."""


class Database(sqlite3.Connection):
    """Raises UserError for a damaged file, whenever that is found."""

    def cursor(self, *_: Any) -> Any:
        return super().cursor(_Cursor)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        found: _Cursor = self.cursor()
        return found.execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        found: _Cursor = self.cursor()
        return found.executemany(*arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        found: _Cursor = self.cursor()
        return found.executescript(*arguments)


class _Cursor(sqlite3.Cursor):
    def execute(self, *arguments: Any) -> Self:
        with _told():
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> Self:
        with _told():
            return super().executemany(*arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        with _told():
            return super().executescript(*arguments)

    def fetchone(self) -> Any:
        with _told():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _told():
            return super().fetchall()

    def __next__(self) -> Any:
        with _told():
            return super().__next__()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or code & 0xFF not in _DAMAGED:
            raise
        raise UserError(
            f"The project's notes cannot be opened, or are damaged: {error}.",
            kept="The file “notes.sqlite” was left unchanged; everything else can be used.",
            next_step="Restore it from a copy, or move it elsewhere to start a new one.",
        ) from error
