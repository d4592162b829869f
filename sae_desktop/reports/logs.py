"""Where the window, the engine and commands write what they have to say, and how much is kept.

Files in the person's folder of logs, each of a bounded size with a bounded number of older ones
beside it; a line has its time, its level and who says it. Nothing here is ever sent.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path

from sae_desktop.storage.own_folders import log_folder

FILE_BYTES, OLDER_FILES = 1_000_000, 3
"""Of the window's and the engine's: 8 MB in all."""
COMMAND_BYTES, COMMAND_FILES = 500_000, 10
"""Of each command's, with one older file: 10 MB in all."""
LONGEST = 20_000
"""Characters of one entry; the middle of a longer one is left out."""
CHECK_SECONDS = 2.0
ENGINE_FORMAT = "%(levelname)s %(name)s: %(message)s"
"""What the engine writes on standard error; the window, which keeps it, adds the time."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OWN = "sae_desktop"


class _Bounded(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        half = LONGEST // 2
        return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


class LogFile(logging.handlers.RotatingFileHandler):
    """A file of bounded size. Where it cannot be written, the program goes on without it."""

    def __init__(self, path: Path, *, most: int = FILE_BYTES, older: int = OLDER_FILES) -> None:
        super().__init__(path, maxBytes=most, backupCount=older, encoding="utf-8", delay=True)
        self.setFormatter(_Bounded(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record: to a new file where this one was cleared or put aside by another."""
        if self.stream is not None and not self._is_in_place():
            with suppress(OSError):
                self.stream.close()
            self.stream = None
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Lose what cannot be written: a full disk must not end a job."""

    def _open(self):  # type: ignore[no-untyped-def]
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def _is_in_place(self) -> bool:
        assert self.stream is not None
        try:
            return os.path.samestat(os.fstat(self.stream.fileno()), os.stat(self.baseFilename))
        except (OSError, ValueError):
            return False


def window_log() -> Path:
    """Return the file of what the window says."""
    return log_folder() / "window.log"


def engine_log() -> Path:
    """Return the file of what the engine and its libraries say."""
    return log_folder() / "engine.log"


def command_log() -> Path:
    """Return the file of this command: a few in turn, so that commands do not mix their lines."""
    return log_folder() / f"command-{os.getpid() % COMMAND_FILES}.log"


def begin_window_log() -> logging.Handler:
    """Have this process write what it says to the window's log; return what `end_log` takes.

    Warnings are printed, too, for whoever has started it in a terminal.
    """
    if logging.lastResort is not None:
        logging.getLogger().addHandler(logging.lastResort)
    return _begin(LogFile(window_log()))


def begin_engine_log() -> logging.Handler:
    """Have this process write what it says to standard error, which the window keeps."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Bounded(ENGINE_FORMAT))
    return _begin(handler)


def begin_command_log() -> logging.Handler:
    """Have a command whose output is for programs write what it says to standard error.

    That is a file by then: see `output_file`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Bounded(_FORMAT))
    return _begin(handler)


def _begin(handler: logging.Handler) -> logging.Handler:
    root, own = logging.getLogger(), logging.getLogger(_OWN)
    root.addHandler(handler)
    own.setLevel(logging.INFO)
    return handler


def end_log(handler: logging.Handler) -> None:
    """Write no more by what was begun."""
    root = logging.getLogger()
    root.removeHandler(handler)
    if logging.lastResort is not None:
        root.removeHandler(logging.lastResort)
    handler.close()


def output_file(path: Path, *, most: int = COMMAND_BYTES) -> int:
    """Return a descriptor of a file for all that this process and its libraries print.

    Code of other languages writes there too, and so does Python as it crashes, so it is a plain
    file. Once it is larger than `most` bytes, what is in it is put aside beside it, in the place
    of what was there. Where it cannot be written, it is nothing.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, 0o666)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
    put_aside(path, most)
    threading.Thread(target=_keep_bounded, args=(path, most), name="log size", daemon=True).start()
    return descriptor


def put_aside(path: Path, most: int) -> None:
    """Copy a file that is larger than `most` bytes beside it, its end alone, and empty it.

    Whoever writes to it continues at its beginning.
    """
    with suppress(OSError):
        if path.stat().st_size <= most:
            return
        with path.open("rb") as full, older(path).open("wb") as kept:
            full.seek(-most, os.SEEK_END)
            shutil.copyfileobj(full, kept)
        os.truncate(path, 0)


def older(path: Path) -> Path:
    """Return where what was put aside of a file is."""
    return path.with_name(f"{path.name}.1")


def _keep_bounded(path: Path, most: int) -> None:
    pause = threading.Event()
    while not pause.wait(CHECK_SECONDS):
        put_aside(path, most)
