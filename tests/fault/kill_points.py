"""Counts every call with which a process changes files below a folder, and ends it at one.

What is counted: opening for writing, writes to a descriptor, syncs, renames, links, removals,
folders made, truncation, reservation, modes, HDF5 datasets and files closed, and every statement
and commit of SQLite. The process is killed *before* the call; of a larger write one half is done.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

_PATH_CALLS = (
    "rename", "replace", "unlink", "remove", "rmdir", "mkdir", "truncate", "link", "symlink",
    "chmod",
)  # fmt: skip
_DESCRIPTOR_CALLS = ("write", "pwrite", "fsync", "ftruncate", "posix_fallocate")
_NUMBER = 8
"""Bytes that are written whole or not at all."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class KillPoints:
    """Counts the calls from `install` on; kills at number `kill_at`, counted from 1; 0: never."""

    def __init__(self, root: Path, kill_at: int) -> None:
        self.root, self.kill_at = str(root.resolve()), kill_at
        self.count = 0
        self.calls: list[str] = []
        self._lock = threading.RLock()
        self._inside = threading.local()

    def install(self) -> None:
        for name in _PATH_CALLS:
            setattr(os, name, self._on_path(name, getattr(os, name)))
        for name in _DESCRIPTOR_CALLS:
            if hasattr(os, name):
                setattr(os, name, self._on_descriptor(name, getattr(os, name)))
        sys.addaudithook(self._on_event)
        self._watch_hdf5()
        self._watch_sqlite()

    # ------------------------------------------------------------------ counting
    def _counts(self, path: object) -> bool:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str | os.PathLike):
            return False
        whole = os.path.abspath(os.fspath(path))
        return whole.startswith(self.root + os.sep) or whole == self.root

    def reach(self, what: str, half: Callable[[], object] | None = None) -> None:
        with self._lock:
            self.count += 1
            self.calls.append(what)
            if self.count == self.kill_at:
                if half is not None:
                    half()
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open":
            return
        path, mode, flags = arguments
        writes = bool(flags & _WRITING) if isinstance(flags, int) else False
        if mode is not None and isinstance(mode, str) and set(mode) & set("wax+"):
            writes = True
        if writes and self._counts(path):
            self.reach(f"open {path}")

    def _on_path(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def counted(*arguments: Any, **named: Any) -> Any:
            paths = list(arguments[:2])
            folder = named.get("dir_fd")
            if folder is not None:
                paths = [f"{os.readlink(f'/proc/self/fd/{folder}')}/{arguments[0]}"]
            if any(self._counts(path) for path in paths):
                self.reach(f"{name} {' '.join(map(str, paths))}")
            return call(*arguments, **named)

        return counted

    def _on_descriptor(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def counted(descriptor: int, *arguments: Any) -> Any:
            try:
                path = os.readlink(f"/proc/self/fd/{descriptor}")
            except OSError:
                path = ""
            if self._counts(path):
                half = None
                if name in ("write", "pwrite"):
                    data = memoryview(arguments[0]).cast("B")
                    if len(data) > _NUMBER:
                        half = functools.partial(
                            call, descriptor, data[: len(data) // 2], *arguments[1:]
                        )
                self.reach(f"{name} {path}", half)
            return call(descriptor, *arguments)

        return counted

    def _watch_hdf5(self) -> None:
        points = self
        create, close = h5py.Group.create_dataset, h5py.File.close

        def create_dataset(group: Any, *arguments: Any, **named: Any) -> Any:
            if points._counts(group.file.filename):
                points.reach(f"dataset {group.file.filename}")
            return create(group, *arguments, **named)

        def close_file(file: Any) -> None:
            if file and file.mode == "r+" and points._counts(file.filename):
                points.reach(f"close {file.filename}")
            close(file)

        h5py.Group.create_dataset, h5py.File.close = create_dataset, close_file

    def _watch_sqlite(self) -> None:
        points, connect = self, sqlite3.connect

        class Counted(sqlite3.Connection):
            def execute(self, *arguments: Any) -> Any:
                points.reach(f"sql {arguments[0][:30]}")
                return super().execute(*arguments)

            def executemany(self, *arguments: Any) -> Any:
                points.reach(f"sql {arguments[0][:30]}")
                return super().executemany(*arguments)

            def executescript(self, *arguments: Any) -> Any:
                points.reach("sql script")
                return super().executescript(*arguments)

            def __exit__(self, *arguments: Any) -> Any:
                points.reach("sql commit")
                return super().__exit__(*arguments)

        def counted(database: Any, *arguments: Any, **named: Any) -> Any:
            if points._counts(database):
                named["factory"] = Counted
            return connect(database, *arguments, **named)

        sqlite3.connect = counted  # type: ignore[assignment]
