"""What was logged, read back for a person: the newest entries of every log, in their order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sae_desktop.reports.logs import engine_log, older, window_log
from sae_desktop.storage.own_folders import log_folder
from sae_desktop.words.visible_text import visible

SOURCES = (
    ("", "Said by all"), ("window", "The window"), ("engine", "The engine"),
    ("command", "Commands"),
)  # fmt: skip
"""(source, how it is called)."""
LEVELS = (("DEBUG", "All levels"), ("WARNING", "Warnings and errors"), ("ERROR", "Errors"))
"""(least level, how it is called)."""
_ORDER = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
TAIL_BYTES = 400_000
"""Of each file: what is further back is not shown."""
MOST = 4_000
"""Entries that are shown."""
_LONGEST_LINE = 2_000
_HEAD = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)", re.S
)


@dataclass(frozen=True)
class LogEntry:
    """One thing that was said, which may have several lines."""

    time: str
    """2026-11-30 21:15:07.123, this machine's; empty where a library wrote by itself."""
    level: str
    source: str
    """One of SOURCES."""
    text: str
    """As it was written, control sequences made visible."""

    @property
    def line(self) -> str:
        """Return the entry as it is shown."""
        return f"{self.time:23}  {self.level:8} {self.source:8} {self.text}"


def log_files() -> list[tuple[str, Path]]:
    """Return the files there are, older ones first, with their source."""
    found = [
        (source, path)
        for source, newest in (("window", window_log()), ("engine", engine_log()))
        for path in (older(newest), newest)
    ]
    with suppress(OSError):
        commands = [path for path in log_folder().glob("command-*.log*") if path.is_file()]
        found += [("command", path) for path in sorted(commands, reverse=True)]
    return [(source, path) for source, path in found if path.is_file()]


def files_state() -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever something was logged."""
    found = []
    for _, path in log_files():
        with suppress(OSError):
            told = path.stat()
            found.append((path.name, told.st_size, told.st_mtime_ns))
    return tuple(found)


def newest_entries() -> list[LogEntry]:
    """Return the newest entries of all logs, the last said last."""
    found: list[tuple[str, LogEntry]] = []
    for source, path in log_files():
        with suppress(OSError):
            found += _timed(_entries(source, _tail(path)), path)
    # Sorting keeps the order of what was said at once.
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])][-MOST:]


def filtered(
    entries: Iterable[LogEntry], *, source: str = "", level: str = "DEBUG", text: str = ""
) -> list[LogEntry]:
    """Return the entries of a source, of at least a level, with all words of a text in them."""
    least, words = _ORDER.index(level), text.casefold().split()
    return [
        entry
        for entry in entries
        if source in ("", entry.source)
        and _ORDER.index(entry.level) >= least
        and all(word in entry.line.casefold() for word in words)
    ]


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL_BYTES, 0))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return lines[1:] if size > TAIL_BYTES else lines


def _entries(source: str, lines: Sequence[str]) -> list[LogEntry]:
    found: list[LogEntry] = []
    for line in lines:
        text = _shown(line)
        told = _HEAD.fullmatch(text)
        if told:
            time, ms, level, rest = told.groups()
            found.append(LogEntry(f"{time}.{ms}", level, source, rest))
        elif text.strip() and found:
            last = found[-1]
            found[-1] = LogEntry(last.time, last.level, source, f"{last.text}\n{text}")
        elif text.strip():
            found.append(LogEntry("", "INFO", source, text))
    return found


def _shown(line: str) -> str:
    text = visible(line.rstrip("\r"))
    half = _LONGEST_LINE // 2
    return text if len(text) <= _LONGEST_LINE else f"{text[:half]} … {text[-half:]}"


def _timed(entries: Sequence[LogEntry], path: Path) -> list[tuple[str, LogEntry]]:
    """Return entries with the time by which they are sorted; only the first may have none."""
    later = next((entry.time for entry in entries if entry.time), "")
    return [(entry.time or later or _changed(path), entry) for entry in entries]


def _changed(path: Path) -> str:
    return f"{datetime.fromtimestamp(path.stat().st_mtime):%Y-%m-%d %H:%M:%S}"
