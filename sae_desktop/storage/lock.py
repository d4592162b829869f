"""One writer per project: a lock that the system releases when its holder dies."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import filelock
import msgspec

from sae_desktop.errors import UserError
from sae_desktop.storage.faults import explain_os_error

_LOCK = ".lock"
_OWNER = ".lock-owner"


_held: set[Path] = set()
"""Folders whose lock this process holds."""


class LockHeldError(UserError):
    """Another process holds the lock."""


def held_here(folder: Path) -> bool:
    """Tell whether this process may write in a project folder already."""
    return folder.resolve() in _held


class LockOwner(msgspec.Struct, frozen=True):
    pid: int
    host: str


class ProjectLock:
    """The exclusive right to write in a project folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = filelock.FileLock(folder / _LOCK)

    def acquire(self) -> None:
        """Take the lock at once.

        Raises LockHeldError when another process holds it, UserError when the folder is read-only.
        """
        _refuse_read_only(self._folder)
        try:
            self._lock.acquire(timeout=0)
            (self._folder / _OWNER).write_bytes(
                msgspec.json.encode(LockOwner(os.getpid(), socket.gethostname()))
            )
        except filelock.Timeout:
            raise LockHeldError(
                f"The project “{self._folder.name}” is already open{_describe(self._folder)}.",
                kept="Nothing was changed.",
                next_step="Close it there, or wait until its job has finished, and try again.",
            ) from None
        except OSError as error:
            raise explain_os_error(error, self._folder) from error
        _held.add(self._folder.resolve())

    def release(self) -> None:
        if self._lock.is_locked:
            (self._folder / _OWNER).unlink(missing_ok=True)
            self._lock.release()
            _held.discard(self._folder.resolve())

    def __enter__(self) -> ProjectLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _refuse_read_only(folder: Path) -> None:
    # An administrator may write anywhere; a folder marked read-only still means it.
    marked = folder.stat().st_mode & 0o222 == 0
    if marked or not os.access(folder, os.W_OK):
        raise UserError(
            f"The project folder “{folder}” is read-only.",
            kept="Nothing was changed.",
            next_step="Copy it to a folder you can write to, or change its permissions.",
        )


def _describe(folder: Path) -> str:
    try:
        owner = msgspec.json.decode((folder / _OWNER).read_bytes(), type=LockOwner)
    except (OSError, ValueError, RecursionError):
        return " in another window or job"
    place = "" if owner.host == socket.gethostname() else f" on {owner.host}"
    return f" in another window or job (process {owner.pid}{place})"
