"""Tells one writing of a file from another, by what the file system keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

Item = TypeVar("Item")
More = ParamSpec("More")


def file_stamp(path: Path) -> tuple[int, ...]:
    """Return what a file that was replaced or written to does not keep; of none, nothing."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


class Remembered(Generic[More, Item]):
    """What a list says of files, each read again only where it was written to since."""

    def __init__(self, read: Callable[Concatenate[Path, int, datetime, More], Item]) -> None:
        """`read` takes a file, its size in bytes, when it was written, and what else it needs."""
        self._read = read
        self._known: dict[Hashable, tuple[tuple[int, ...], Item]] = {}

    def __call__(self, path: Path, *more: More.args, **named: More.kwargs) -> Item:
        """Return what was read. Raises OSError for a file that is gone."""
        status = path.stat()
        key = (path, more, tuple(named.items()))
        stamp = file_stamp(path)
        known = self._known.get(key)
        if known is None or known[0] != stamp:
            modified = datetime.fromtimestamp(status.st_mtime)
            known = (stamp, self._read(path, status.st_size, modified, *more, **named))
            self._known[key] = known
        return known[1]
