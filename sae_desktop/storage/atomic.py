"""Files that are either the old whole or the new whole, never half of one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sae_desktop.storage.faults import explained
from sae_desktop.storage.swap import keep_beside, put_in_place


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a `.part` path beside `path`; on success sync it and rename it over `path`.

    On failure the part is removed and `path` is as it was. Raises UserError when the disk
    is full or the folder cannot be written, and where another program has `path` open so that
    it cannot be replaced: then the part is kept beside it.
    """
    part = path.with_name(path.name + ".part")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            mode = _made_empty(part)
            yield part
            part.chmod(mode)
            sync_file(part)
            try:
                put_in_place(part, path)
            except PermissionError as error:
                if not path.is_file():
                    raise
                raise keep_beside(part, path) from error
            sync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it becomes `path`.

    `path` is missing or an empty folder. What a killed process left is removed first; on failure
    nothing is left. Raises UserError when the system refuses.
    """
    part = path.with_name(f".{path.name}.part")
    with explained(path):
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(parents=True)
        try:
            yield part
            for folder in [part, *(p for p in part.rglob("*") if p.is_dir())]:
                sync_folder(folder)
            if path.is_dir():
                path.rmdir()
            os.replace(part, path)
            sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _made_empty(path: Path) -> int:
    """Make an empty file and return the permissions the system gave it.

    Some libraries make theirs readable by the owner alone. The mask of new files belongs to the
    whole process and can only be read by changing it, which other threads would meet.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of `path` in one step."""
    with replacing(path) as part:
        part.write_bytes(data)
