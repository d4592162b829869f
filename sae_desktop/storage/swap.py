"""Putting a new file in the place of one that may be open: some systems refuse that.

On Windows a file that another program maps can be given another name, at most, but not be
replaced. So the old one is moved aside first; whoever has it open continues with it, and it is
deleted when nobody has. `put_in_order` of the project finishes what was interrupted here.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from sae_desktop.errors import UserError
from sae_desktop.interruption import wait

_TRIES, _WAIT_SECONDS = 10, 0.2
_ASIDE = ".aside"
# Of Windows: others may read, write, and rename or delete the file.
_SHARE_ALL = 1 | 2 | 4


def put_in_place(part: Path, path: Path) -> None:
    """Rename `part` to `path`, in place of what is there.

    Raises PermissionError where the system lets what is there neither be replaced nor renamed,
    not even some seconds later: then both are as they were.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            os.replace(part, path)
            return
        except PermissionError:
            if not path.is_file() or not part.exists():
                raise
        if _moved_aside(part, path):
            return
        if tries_left:
            wait(_WAIT_SECONDS)
    os.replace(part, path)


def open_shared(path: Path) -> IO[bytes]:
    """Open a file for reading so that others may rename it meanwhile.

    Everywhere but on Windows any open file can be renamed; there it must be opened for it.
    """
    if sys.platform == "win32":
        import _winapi
        import msvcrt

        handle = _winapi.CreateFile(
            str(path),
            _winapi.GENERIC_READ,
            _SHARE_ALL,
            _winapi.NULL,
            _winapi.OPEN_EXISTING,
            0,
            _winapi.NULL,
        )
        return os.fdopen(msvcrt.open_osfhandle(handle, os.O_RDONLY), "rb")
    return path.open("rb")


def _moved_aside(part: Path, path: Path) -> bool:
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_ASIDE}")
    try:
        os.replace(path, aside)
    except PermissionError:
        return False
    try:
        os.replace(part, path)
    except BaseException:
        os.replace(aside, path)
        raise
    with suppress(OSError):  # while it is open; it goes when the project is next opened
        aside.unlink()
    return True


def keep_beside(part: Path, path: Path) -> UserError:
    """Keep a finished file under a name of its own, and return what is to be said of that."""
    numbers = iter(range(2, 1000))
    kept = path.with_name(f"{path.stem}-new{path.suffix}")
    while kept.exists():
        kept = path.with_name(f"{path.stem}-new{next(numbers)}{path.suffix}")
    os.replace(part, kept)
    return UserError(
        f"“{path.name}” cannot be replaced: another program has it open, such as another window "
        "of SAE Desktop.",
        kept=f"The new file is kept as “{kept.stem}”, and “{path.stem}” is unchanged.",
        next_step=f"Use “{kept.stem}”, or close what has “{path.stem}” open and start this again.",
    )


def asides(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield files that were moved aside in a folder, each with the place it had."""
    for aside in folder.glob(f".*{_ASIDE}"):
        name = aside.name.removesuffix(_ASIDE).removeprefix(".").rpartition(".")[0]
        if name:
            yield aside, aside.with_name(name)


def settle_asides(folder: Path) -> None:
    """Put back what was moved aside with nothing in its place, and delete the rest."""
    for aside, path in asides(folder):
        with suppress(OSError):
            if path.exists():
                aside.unlink()
            else:
                os.replace(aside, path)
