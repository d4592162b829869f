"""What the engine and its libraries say on stderr: the tail in memory, all of it in a file."""

from __future__ import annotations

import codecs
import logging
import re
from collections import deque

from sae_desktop.reports.logs import LogFile, engine_log

TAIL_LINES = 200
_LEVEL = re.compile("(DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
_TRACEBACKS = ("Traceback (most recent call last)", "Fatal Python error")
_logger = logging.getLogger("sae_desktop.engine_output")
"""Its lines are those of the engine: their level comes first, where they have one."""


class EngineLog:
    """Takes stderr as it comes, in pieces of any size."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""
        self._levels = _Levels()
        self._handler: logging.Handler | None = _file_handler()

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
        level = self._levels.level(text)
        _logger.log(level, "%s", _LEVEL.sub("", text, count=1))


def _file_handler() -> logging.Handler:
    handler = LogFile(engine_log())
    _logger.setLevel(logging.DEBUG)
    _logger.propagate = False
    _logger.addHandler(handler)
    return handler


class _Levels:
    """Tells at what level a line was said; those of a traceback belong to its first."""

    def __init__(self) -> None:
        self._in_traceback = False

    def level(self, line: str) -> int:
        """Return the level of the next line, which the engine may have written before it."""
        told = _LEVEL.match(line)
        if told:
            self._in_traceback = False
            return int(logging.getLevelNamesMapping()[told[1]])
        if line.startswith(_TRACEBACKS):
            self._in_traceback = True
        elif self._in_traceback and not line.startswith(" "):  # what it was, its last line
            self._in_traceback = False
            return logging.ERROR
        return logging.ERROR if self._in_traceback else logging.INFO
