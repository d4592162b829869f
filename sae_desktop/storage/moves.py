"""Several renames in one folder that happen as one, and what a killed process leaves behind.

A change that needs more than one rename is written down first, in `.moves/`; a process killed
in the middle is followed by `finish_moves`, which takes the rest of the way. What is to be
deleted is renamed into `.gone/`, at once, and its bytes go when there is time. What is only
needed for as long as a job runs is in `.work/`.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import sync_folder, write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.swap import keep_beside, put_in_place

MOVES, GONE, WORK, TRASH = ".moves", ".gone", ".work", ".trash"

Move = tuple[Path, Path]


class _Moves(msgspec.Struct, frozen=True, kw_only=True):
    """Renames from → to, relative to the folder they are in."""

    away: list[tuple[str, str]]
    """To places that only this record knows: made where the target exists."""
    into: list[tuple[str, str]]
    """From places that only this record knows: made where the source is missing."""


def move_together(root: Path, *, away: Sequence[Move] = (), into: Sequence[Move] = ()) -> None:
    """Rename everything in `away`, then everything in `into`; a source may be missing.

    The targets of `away` and the sources of `into` are names that nothing else ever has, such as
    those of `doomed` and `work_folder`; a file in the way of `into` is replaced. All are inside
    `root`, on one volume. Killed at any moment, the rest is done by `finish_moves`. Raises
    UserError when the system refuses the first of them; then nothing has changed. Where the
    first of `into` is in place of a file that another program has open, it is kept beside that.
    """
    moves = _Moves(
        away=[_relative(root, move) for move in away if move[0].exists()],
        into=[_relative(root, move) for move in into if move[0].exists()],
    )
    count = len(moves.away) + len(moves.into)
    if not count:
        return
    record = root / MOVES / f"{uuid.uuid4().hex}.json"
    with explained(root):
        if count > 1:
            write_bytes(record, msgspec.json.encode(moves))
        try:
            _carry_out(root, moves)
        except OSError as error:
            kept = _kept_beside(root, moves) if isinstance(error, PermissionError) else None
            if kept is not None or (count > 1 and not _begun(root, moves)):
                record.unlink(missing_ok=True)
            if kept is not None:
                raise kept from error
            raise
        record.unlink(missing_ok=True)
        _remove_if_empty(record.parent)


def _relative(root: Path, move: Move) -> tuple[str, str]:
    source, target = move
    return source.relative_to(root).as_posix(), target.relative_to(root).as_posix()


def _carry_out(root: Path, moves: _Moves) -> None:
    changed: set[Path] = set()
    for number, (source, target) in enumerate([*moves.away, *moves.into]):
        there, here = root / source, root / target
        if not there.exists() or (number < len(moves.away) and here.exists()):
            continue
        here.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(there, here)
        changed |= {there.parent, here.parent}
    for folder in changed:
        sync_folder(folder)


def _kept_beside(root: Path, moves: _Moves) -> UserError | None:
    """Where the first of what goes into its place cannot replace an open file: keep it beside.

    What went away before comes back. None where it is something else that stands in the way.
    """
    if not moves.into:
        return None
    there, here = (root / name for name in moves.into[0])
    if not there.is_file() or not here.is_file():
        return None
    for source, target in moves.away:
        if (root / target).exists() and not (root / source).exists():
            os.replace(root / target, root / source)
    return keep_beside(there, here)


def _begun(root: Path, moves: _Moves) -> bool:
    away = any((root / target).exists() for _, target in moves.away)
    return away or any(not (root / source).exists() for source, _ in moves.into)


def finish_moves(root: Path) -> None:
    """Take the rest of the way for changes that a killed process began. Raises OSError."""
    for record in sorted((root / MOVES).glob("*.json")):
        try:
            moves = msgspec.json.decode(record.read_bytes(), type=_Moves)
        except msgspec.DecodeError:
            moves = _Moves(away=[], into=[])
        if _stays_inside(root, moves):
            _carry_out(root, moves)
        record.unlink()
    with suppress(OSError):
        _remove_if_empty(root / MOVES)


def _stays_inside(root: Path, moves: _Moves) -> bool:
    """Whether no name leads out of the folder: a project may come from somebody else."""
    whole = root.resolve()
    names = [name for move in [*moves.away, *moves.into] for name in move]
    return all(
        not Path(name).is_absolute()
        and ".." not in Path(name).parts
        and (root / name).parent.resolve().is_relative_to(whole)
        for name in names
    )


# ---------------------------------------------------------------- what is to go
def doomed(root: Path) -> Path:
    """Return a name for something that is to be deleted, which nothing else ever has."""
    return root / GONE / uuid.uuid4().hex


def remove(root: Path, *paths: Path) -> None:
    """Delete files and folders inside `root`, all at once; their bytes go now or later.

    Raises UserError when the system refuses to rename them; then all are as they were.
    """
    move_together(root, away=[(path, doomed(root)) for path in paths])
    empty_gone(root)


def empty_gone(root: Path) -> None:
    """Free the bytes of what was deleted; what the system will not let go of now stays hidden."""
    gone = root / GONE
    if not gone.is_dir() or gone.is_symlink():
        return
    for entry in list(gone.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
    with suppress(OSError):
        _remove_if_empty(gone)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        with suppress(OSError):
            folder.rmdir()


# ---------------------------------------------------------------- work under way
def work_folder(root: Path, name: str) -> Path:
    """Make an empty folder for what a job needs while it runs. Raises UserError."""
    folder = root / WORK / f"{name}-{uuid.uuid4().hex[:8]}"
    with explained(folder):
        folder.mkdir(parents=True)
    return folder


def leave_work(root: Path, folder: Path) -> None:
    """Remove a folder that `work_folder` made; what cannot be removed goes at the next opening."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        _remove_if_empty(root / WORK)
