"""The scans of a project as a list; one that is damaged says so. Free of torch and Qt."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage.stamp import Remembered


@dataclass(frozen=True)
class ScanItem:
    """What there is to know of a scan without opening it."""

    name: str
    sets: tuple[str, ...]
    indexes: tuple[str, ...]
    found: int
    """Sets × dictionaries that are finished."""
    wanted: int
    candidates: int
    significant: int
    """Of them, after the correction for looking at many."""
    seconds: float
    """Of all that is finished; 0: not told."""
    bytes: int
    modified: datetime
    problem: str = ""
    """Why it cannot be read, and what to do; empty: it can."""

    @property
    def seconds_each(self) -> float:
        """For one set and one dictionary; 0: not told."""
        return self.seconds / self.found if self.found else 0.0


def scan_items(project: Project) -> list[ScanItem]:
    """Return the scans, the newest first."""
    found = []
    for name in project.scans():
        with suppress(OSError, UserError):  # it has just gone, or no scan could be called so
            found.append(_remembered(project.scan_path(name)))
    return sorted(found, key=lambda item: item.modified, reverse=True)


def scanned_with(items: list[ScanItem], name: str) -> list[ScanItem]:
    """Return the scans that have looked for a set."""
    return [item for item in items if name in item.sets]


def _read(path: Path, size: int, modified: datetime) -> ScanItem:
    # h5py: the window is shown before it is there
    from sae_desktop.safety.scan.scan_file import read_scan_file

    try:
        scan = read_scan_file(path)
    except UserError as error:
        return ScanItem(path.stem, (), (), 0, 0, 0, 0, 0.0, size, modified, problem=str(error))
    rows = [row for one in scan.scans for row in one.features]
    return ScanItem(
        path.stem,
        tuple(dict.fromkeys(one.set for one in scan.scans)),
        tuple(one.name for one in scan.info.indexes),
        len(scan.scans),
        scan.info.wanted or len(scan.scans),
        len(rows),
        sum(row.significant for row in rows),
        scan.info.seconds,
        size,
        modified,
    )


_remembered = Remembered(_read)
