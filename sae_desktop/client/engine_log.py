"""What the engine and its libraries say on stderr: the tail in memory, all of it in a file."""

from __future__ import annotations

import codecs
import logging
import logging.handlers
from collections import deque
from pathlib import Path

from sae_desktop.storage.own_folders import log_folder

TAIL_LINES = 200
_FILE_BYTES = 1_000_000
_FILES = 3

_logger = logging.getLogger("sae_desktop.engine_output")


def log_path() -> Path:
    """Return the file in the user's log folder that takes what the engine says."""
    return log_folder() / "engine.log"


class EngineLog:
    """Takes stderr as it comes, in pieces of any size."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""
        self._handler = _file_handler()

    def feed(self, data: bytes) -> None:
        """Take a piece of the output."""
        *lines, self._open = (self._open + self._decoder.decode(data)).split("\n")
        for line in lines:
            self._add(line)

    def end(self) -> None:
        """Take the last line, which may lack its newline."""
        self._open += self._decoder.decode(b"", final=True)
        if self._open:
            self._add(self._open)
        self._open = ""

    def tail(self) -> str:
        """Return the last lines."""
        return "\n".join(self._lines)

    def close(self) -> None:
        if self._handler is not None:
            _logger.removeHandler(self._handler)
            self._handler.close()
            self._handler = None

    def _add(self, line: str) -> None:
        # A progress bar rewrites its line; only its last state is worth keeping.
        text = line.rstrip("\r").rpartition("\r")[2]
        self._lines.append(text)
        _logger.info("%s", text)


def _file_handler() -> logging.Handler | None:
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8", delay=True
        )
    except OSError:  # a home that cannot be written must not keep the engine from starting
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _logger.setLevel(logging.INFO)
    _logger.propagate = False
    _logger.addHandler(handler)
    return handler
