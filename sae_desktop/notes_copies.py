"""Copies of a project's notes of earlier days: made as work on it begins, and put back when asked.

Labels and notes are what a person has put most work into, in one file. A copy is made on each day
on which the window opens the project and the notes have changed since the last copy. Free of Qt.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained

FOLDER = "notes_copies"
KEPT, REPLACED_KEPT = 7, 2
"""Copies of days, and notes that a copy took the place of; the oldest of more are deleted."""
_DAY, _TIME = "%Y-%m-%d", "%Y-%m-%d %H-%M-%S"
_REPLACED = "replaced "
_BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps of one database, by the ending of the name."""


class NotesCopy(NamedTuple):
    """The notes as they were at a time."""

    path: Path
    when: datetime
    labels: int
    notes: int
    """Written notes, stars not counted."""
    replaced: bool
    """Whether it is what was there before a copy was put back."""


def keep_copy(project: Project) -> Path | None:
    """Copy the notes, unless there is a copy of today or one of the same notes; return its path.

    The project's lock is held. Damaged notes are not copied. Raises OSError, UserError and
    sqlite3.Error.
    """
    path = project.notes_path
    folder = project.path / FOLDER
    copy = folder / f"{datetime.now().astimezone():{_DAY}}.sqlite"
    if not path.is_file() or copy.exists() or _changed(path) <= _newest(folder):
        return None
    if not is_sound(path):
        return None
    with replacing(copy) as part:
        _copied(path, part)
    _thin(folder)
    return copy


def copies(project: Project) -> list[NotesCopy]:
    """Return the copies that can be read, the newest first."""
    found = [_read(path) for path in (project.path / FOLDER).glob("*.sqlite")]
    return sorted((one for one in found if one), key=lambda one: one.when, reverse=True)


def put_back(project: Project, copy: NotesCopy) -> None:
    """Put a copy in the place of the notes, which are kept beside the copies.

    Nothing may have the notes open, and the project's lock is held. Raises UserError when the
    copy is damaged or the folder cannot be written.
    """
    if not is_sound(copy.path):
        raise UserError(
            f"The copy “{copy.path.name}” is damaged.",
            kept="The notes were left as they are.",
            next_step="Choose the copy of another day.",
        )
    path = project.notes_path
    aside = copy.path.with_name(f"{_REPLACED}{datetime.now().astimezone():{_TIME}}.sqlite")
    with explained(path):
        with replacing(path.with_name(f"{path.name}.new")) as part:
            _copied(copy.path, part)
        for ending in _BESIDE:
            with suppress(FileNotFoundError):
                Path(f"{path}{ending}").rename(f"{aside}{ending}")
        path.with_name(f"{path.name}.new").rename(path)
    _thin(copy.path.parent)


def is_sound(path: Path) -> bool:
    """Whether SQLite finds no fault in a file, which may be in use."""
    try:
        with closing(_opened(path, write=os.access(path.parent, os.W_OK))) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        return False
    return bool(found == "ok")


def _opened(path: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open a file; only who may write takes away again what SQLite puts beside it."""
    mode = "rw" if write else "ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=5.0)


def _copied(source: Path, target: Path) -> None:
    with closing(_opened(source, write=True)) as database, closing(sqlite3.connect(target)) as new:
        database.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, whatever the notes use


def _changed(path: Path) -> float:
    beside = (Path(f"{path}{ending}") for ending in _BESIDE[:2])
    return max((one.stat().st_mtime for one in beside if one.exists()), default=0.0)


def _newest(folder: Path) -> float:
    return max((one.stat().st_mtime for one in folder.glob("*.sqlite")), default=0.0)


def _read(path: Path) -> NotesCopy | None:
    replaced = path.name.startswith(_REPLACED)
    try:
        when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        with closing(_opened(path)) as database:
            (labels, notes) = database.execute(
                "SELECT count(nullif(label, '')), count(nullif(note, '')) FROM notes"
            ).fetchone()
    except (OSError, sqlite3.Error):
        return None
    return NotesCopy(path, when, int(labels), int(notes), replaced)


def _thin(folder: Path) -> None:
    replaced = sorted(folder.glob(f"{_REPLACED}*.sqlite"))
    days = sorted(set(folder.glob("*.sqlite")) - set(replaced))
    for path in (*days[:-KEPT], *replaced[:-REPLACED_KEPT]):
        for ending in _BESIDE:
            with suppress(OSError):
                Path(f"{path}{ending}").unlink(missing_ok=True)
