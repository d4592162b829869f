"""How much a thing takes that the program keeps: counted slowly, so that the window answers."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sae_desktop.storage.faults import format_bytes

_PAUSE_FILES = 300
_PAUSE_SECONDS = 0.003
"""The window's own thread has its turn: hundreds of thousands of files may be counted."""


@dataclass(frozen=True)
class Size:
    """What was counted. A link counts as nothing, wherever it leads."""

    bytes: int = 0
    files: int = 0
    shared: int = 0
    """Bytes of files that are in another folder, too: deleting them here frees nothing."""
    unreadable: str = ""
    """A folder that may not be read; what is in it is left out."""

    @property
    def text(self) -> str:
        """Return the size for a table: “nothing”, “1.2 GB”."""
        if not self.files:
            return "not readable" if self.unreadable else "nothing"
        return format_bytes(self.bytes) + (" and more" if self.unreadable else "")

    @property
    def details(self) -> str:
        """Return in sentences what the size is made of."""
        if not self.files and not self.unreadable:
            return "There is nothing yet."
        told = [f"{self.files:,} {'file' if self.files == 1 else 'files'}."]
        if self.shared:
            told.append(
                f"{format_bytes(self.shared)} are in another folder too and are not freed by "
                "clearing this one."
            )
        if self.unreadable:
            told.append(f"“{self.unreadable}” may not be read, so what is in it is not counted.")
        return " ".join(told)


def measured(
    parts: Callable[[], Iterable[Path]], cancelled: Callable[[], bool] = lambda: False
) -> Size | None:
    """Return the size of files and folders; None: `cancelled` said so meanwhile.

    No link is followed.
    """
    total = files = shared = 0
    unreadable = ""
    try:
        waiting = [os.fspath(path) for path in parts()]
    except OSError as error:
        return Size(unreadable=str(error.filename or ""))
    seen = 0
    while waiting:
        path = waiting.pop()
        seen += 1
        if seen % _PAUSE_FILES == 0:
            if cancelled():
                return None
            time.sleep(_PAUSE_SECONDS)
        try:
            told = os.lstat(path)
            if stat.S_ISDIR(told.st_mode) and not is_junction(path):
                waiting += [entry.path for entry in os.scandir(path)]
            elif stat.S_ISREG(told.st_mode):
                files += 1
                total += told.st_size
                shared += told.st_size if told.st_nlink > 1 else 0
        except FileNotFoundError:  # deleted meanwhile
            continue
        except OSError:
            unreadable = unreadable or path
    return Size(total, files, shared, unreadable)


def is_junction(path: str | Path) -> bool:
    """Whether a path is a folder's other name, as Windows has them. Python knows since 3.12."""
    known = getattr(os.path, "isjunction", None)
    return bool(known is not None and known(path))
