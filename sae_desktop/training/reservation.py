"""Runs that are being trained: no two jobs, in any process, write the same one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage.faults import explained
from sae_desktop.storage.moves import WORK

_changing = threading.Lock()
"""A lock's file is made and removed by one thread at a time."""


@contextmanager
def reserved(project: Project, names: Iterable[str]) -> Iterator[None]:
    """Hold the runs of these names while the block runs.

    Raises UserError when another job, of this process or another one, holds one of them.
    """
    locks: list[filelock.FileLock] = []
    try:
        for name in names:
            locks.append(_taken(project, name))
        yield
    finally:
        with _changing:
            for lock in locks:
                lock.release()
                with suppress(OSError):
                    Path(lock.lock_file).unlink(missing_ok=True)
            with suppress(OSError):
                (project.path / WORK).rmdir()


def _taken(project: Project, name: str) -> filelock.FileLock:
    folder = project.path / WORK
    with _changing, explained(folder):
        folder.mkdir(exist_ok=True)
        lock = filelock.FileLock(folder / f"{name}.training.lock", is_singleton=False)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise UserError(
                f"The dictionary “{name}” is being trained by another job.",
                kept="That job is still running.",
                next_step="Wait for it, stop it, or choose another name.",
            ) from None
    return lock
