"""The comparisons and watches of a project, read for its cards. Free of torch and Qt."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.safety.change.watch_file import comparison_name, read_record
from sae_desktop.storage.stamp import Remembered


@dataclass(frozen=True)
class ChangeItem:
    kind: str
    """comparison or watch"""
    name: str
    models: int
    """Of a watch: the checkpoints that it has seen."""
    site: str
    """Of a watch: the folder."""
    bytes: int
    modified: datetime
    alerts: int | None = None
    """Of a watch."""
    problem: str = ""
    """Why it cannot be read; empty: it can."""


def change_items(project: Project) -> list[ChangeItem]:
    """Return the comparisons a person asked for, and the watches; a damaged one says so itself."""
    found, of_watches = [], set()
    for name in project.watches():
        with suppress(OSError):  # it has just gone
            found.append(_remembered(project.watch_path(name), "watch", name))
        with suppress(UserError):
            record = read_record(project.watch_path(name))
            of_watches |= {comparison_name(name, one.name) for one in record.watched}
    for name in project.changes():
        if name not in of_watches:
            with suppress(OSError):
                found.append(_remembered(project.change_path(name), "comparison", name))
    return found


def _read(path: Path, size: int, modified: datetime, kind: str, name: str) -> ChangeItem:
    try:
        return (_watch if kind == "watch" else _comparison)(path, name, size, modified)
    except UserError as error:
        return ChangeItem(kind, name, 0, "", size, modified, problem=str(error))


def _watch(path: Path, name: str, size: int, modified: datetime) -> ChangeItem:
    record = read_record(path)
    alerts = sum(one.alert is not None for one in record.watched)
    return ChangeItem("watch", name, len(record.watched), record.folder, size, modified, alerts)


def _comparison(path: Path, name: str, size: int, modified: datetime) -> ChangeItem:
    # h5py: the window is shown before it is there
    from sae_desktop.safety.change.change_file import read_change

    info = read_change(path).info
    return ChangeItem("comparison", name, len(info.checkpoints), info.site, size, modified)


_remembered = Remembered(_read)
