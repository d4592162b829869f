"""Which processes of this program may have models open, so that none is deleted under them.

Each holds a lock on a file of its own, which the system releases when the process ends however
it may end. Free of torch and Qt.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sae_desktop.storage.own_folders import cache_folder

_held: dict[int, FileLock] = {}
"""By process: one that was forked has none of its own."""


def marks_folder() -> Path:
    """Return the folder of the files that are locked."""
    return cache_folder() / "running"


def say_running() -> None:
    """Let other processes know of this one until it ends.

    Where the folder cannot be written they do not hear of it, and the work goes on.
    """
    pid = os.getpid()
    if pid in _held:
        return
    lock = FileLock(marks_folder() / f"{pid}.lock")
    with suppress(OSError, Timeout):
        marks_folder().mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        _held[pid] = lock


def others_running(but: int | None = None) -> list[int]:
    """Return the ids of other processes that have said so, but for one; forget those that ended."""
    found = []
    for path in sorted(marks_folder().glob("*.lock")):
        if not path.stem.isdigit() or int(path.stem) in (os.getpid(), but):
            continue
        try:
            with FileLock(path, timeout=0):
                ended = True
        except (Timeout, OSError):
            ended = False
        if not ended:
            found.append(int(path.stem))
        else:
            with suppress(OSError):
                path.unlink()
    return found
