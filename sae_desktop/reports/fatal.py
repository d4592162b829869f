"""What a process wrote as a fatal signal ended it, for the next start to read.

Python writes the stack of each thread to a file as the process dies (`faulthandler`): names of
functions, files and line numbers, nothing of what they held.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

import psutil

_ENDING = ".fatal"


class FatalTrace:
    """A file of this process in a folder, which is deleted again when the process ends well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def begin(self) -> None:
        """Have a fatal signal of this process write into the folder, if that can be written."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / f"{os.getpid()}{_ENDING}").open("w")
            faulthandler.enable(self._file)

    def end(self) -> None:
        if self._file is None:
            return
        faulthandler.disable()
        self._file.close()
        with suppress(OSError):
            Path(self._file.name).unlink()
        self._file = None

    def left(self) -> Iterator[tuple[datetime, str]]:
        """Yield when processes that are gone were ended, and what they wrote; take it away.

        Those that were killed had no time to write, and are passed over.
        """
        for path in sorted(self._folder.glob(f"*{_ENDING}")):
            if not path.stem.isdigit() or psutil.pid_exists(int(path.stem)):
                continue
            with suppress(OSError):
                text = path.read_text(errors="replace").strip()
                when = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
                path.unlink()
                if text:
                    yield when, text
