"""Cleaning up a project after a process was killed. Free of torch and Qt.

Whoever takes a project's lock does this first: nobody else is writing then, so that whatever
looks unfinished is, and is either finished or removed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sae_desktop.deletion import settle_trash
from sae_desktop.errors import UserError
from sae_desktop.features.reading.firing_paths import UNFINISHED, has_groups
from sae_desktop.incoming_notes import INCOMING, take_incoming
from sae_desktop.project import SETS, Project
from sae_desktop.storage.lock import LockHeldError, held_here
from sae_desktop.storage.moves import MOVES, TRASH, WORK, doomed, empty_gone, finish_moves
from sae_desktop.storage.swap import settle_asides

_FOLDERS = (
    "activations", "dictionaries", "features", "sweeps", "matches", "concepts", "completeness",
    "presets", "sets", "graphs", "changes", "lenses", "scans", "monitors", "hits",
)  # fmt: skip
_PART = ".part"
_DEPTH = 4
"""Down to the checkpoints of a set’s members."""


@contextmanager
def writing(project: Project) -> Iterator[None]:
    """Hold the project's lock while the block runs, over a project put in order.

    Raises UserError when another process holds it, or the folder is read-only.
    """
    with project.lock():
        put_in_order(project)
        empty_gone(project.path)
        yield


@contextmanager
def writing_briefly(project: Project, wait: Callable[[UserError], None]) -> Iterator[None]:
    """Hold the project's lock while the block runs, unless this process holds it already.

    For what waits for hours and writes now and then. While another process holds the lock, `wait`
    is called with the error between two tries, and may raise it.
    """
    with ExitStack() as held:
        while not held_here(project.path):
            try:
                held.enter_context(writing(project))
            except LockHeldError as error:
                wait(error)
        yield


def put_in_order(project: Project) -> None:
    """Finish what can be finished and set aside what cannot; the lock is held.

    Quick: bytes are freed by `empty_gone`. What the system refuses to change stays as it is.
    """
    root = project.path
    for name in _FOLDERS:
        for folder in [root / name, *_folders(root / name)]:
            settle_asides(folder)
    for member in root.glob(f"{SETS}/*/*"):
        settle_asides(member)
    with suppress(OSError):
        finish_moves(root)
    with suppress(OSError, UserError):
        take_incoming(project)
    for path in leftovers(project):
        with suppress(OSError):
            target = doomed(root)
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
    with suppress(OSError):
        settle_trash(project)
    for name in (WORK, MOVES, INCOMING):
        with suppress(OSError):
            (root / name).rmdir()


def leftovers(project: Project) -> list[Path]:
    """Return what jobs that ended without a word left behind and nothing continues from."""
    root = project.path
    found = [*_inside(root / WORK), *root.glob(".package-*"), root / "completeness" / ".control"]
    for name in (MOVES, INCOMING, TRASH):
        found += _parts(root / name, 2)
    for name in _FOLDERS:
        found += _parts(root / name, _DEPTH)
    return [path for path in found if path.is_symlink() or path.exists()]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _inside(folder) if path.is_dir() and not path.is_symlink()]


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _parts(folder: Path, depth: int) -> Iterator[Path]:
    """Yield unfinished files and folders; of an index's firings, those none of which is whole."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        resumable = entry.name.endswith(UNFINISHED) and has_groups(path)
        if entry.name.endswith(_PART) and not resumable:
            yield path
        elif depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _parts(path, depth - 1)
