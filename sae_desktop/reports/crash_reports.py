"""Reports of crashes: of this start, and those that are kept in the user's folder of logs.

A report is a text that can be read before it is passed on. Nothing here is ever sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.reports.anonymous import anonymous
from sae_desktop.reports.machine import facts, listed
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.own_folders import log_folder

_LOG = logging.getLogger(__name__)
MOST = 30
"""Reports that are kept, and of one start: the oldest, or those that come after, are dropped."""
_NAME = "%Y-%m-%d %H-%M-%S"
_ENDING = ".txt"


def crash_folder() -> Path:
    """Return the folder in which reports are kept."""
    return log_folder() / "crashes"


@dataclass(frozen=True)
class CrashReport:
    """What is known of one crash, as it may be read by anybody."""

    when: datetime
    what: str
    """A line: what failed."""
    text: str
    """The whole report."""
    path: Path | None = None
    """Where it is kept."""


def written(what: str, details: str, when: datetime) -> CrashReport:
    """Return a report in which no person, folder or machine is named.

    `details`: such as a traceback.
    """
    what = anonymous(" ".join(what.split()))
    parts = (what, f"{when:%Y-%m-%d %H:%M:%S}", listed(facts()), anonymous(details.strip()))
    return CrashReport(when, what, "\n\n".join(part for part in parts if part) + "\n")


@dataclass
class CrashReports:
    """Takes reports while the program runs. `changed` is called after each change."""

    folder: Path = field(default_factory=crash_folder)
    keeping: bool = False
    """Whether reports are kept without being asked for."""
    changed: Callable[[], object] = lambda: None
    fresh: list[CrashReport] = field(default_factory=list)
    """Of this start and not kept, the newest first."""

    def add(self, what: str, details: str, when: datetime | None = None) -> None:
        """Take a crash, the same only once; keep it where that is wanted."""
        report = written(what, details, when or datetime.now().astimezone())
        trace = anonymous(details.strip())
        known = any(one.what == report.what and trace in one.text for one in self.every())
        if known or len(self.fresh) >= MOST:
            return
        self.fresh.insert(0, report)
        if self.keeping:
            self._try_to_keep(report)
        self.changed()

    def every(self) -> list[CrashReport]:
        """Return the reports of this start, then those that are kept, the newest first."""
        return [*self.fresh, *self.kept()]

    def kept(self) -> list[CrashReport]:
        """Return the reports in the folder, the newest first; what is none is passed over."""
        try:
            paths = sorted(self.folder.glob(f"*{_ENDING}"), reverse=True)
        except OSError:
            return []
        return [found for path in paths if (found := _read(path)) is not None]

    def keep(self, report: CrashReport) -> CrashReport:
        """Write a report of this start into the folder; return it with its place.

        Raises UserError where the folder cannot be written.
        """
        path = self._free(f"{report.when:{_NAME}}")
        with explained(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, report.text.encode())
        self.fresh = [other for other in self.fresh if other is not report]
        for old in self.kept()[MOST:]:
            self.remove(old)
        self.changed()
        return CrashReport(report.when, report.what, report.text, path)

    def remove(self, report: CrashReport) -> None:
        """Forget a report, and delete its file. Raises UserError where that fails."""
        if report.path is not None:
            with explained(report.path):
                report.path.unlink(missing_ok=True)
        self.fresh = [other for other in self.fresh if other is not report]
        self.changed()

    def _free(self, name: str) -> Path:
        path, number = self.folder / f"{name}{_ENDING}", 2
        while path.exists():
            path, number = self.folder / f"{name} {number}{_ENDING}", number + 1
        return path

    def _try_to_keep(self, report: CrashReport) -> None:
        try:
            self.keep(report)
        except UserError as error:  # it can still be read in the window
            _LOG.warning("a crash report was not kept: %s", error)


def _read(path: Path) -> CrashReport | None:
    try:
        when = datetime.strptime(path.stem[:19], _NAME).astimezone()
        text = path.read_text(errors="replace")
    except (OSError, ValueError):
        return None
    return CrashReport(when, text.partition("\n")[0], text, path)
