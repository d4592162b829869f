"""The monitors of a project as a list shows them: what each is, and whether it still holds.

Free of torch and Qt.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.safety.monitors.config import MonitorRun
from sae_desktop.safety.monitors.file import Monitor, read_monitor
from sae_desktop.safety.monitors.hits_file import RunRecord, last_run, read_runs


class MonitorItem(NamedTuple):
    """One monitor."""

    name: str
    monitor: Monitor | None
    """None where it cannot be read."""
    trouble: str = ""
    """Why it does not hold any more, or cannot be read; empty: nothing speaks against it."""
    last: tuple[RunRecord, MonitorRun] | None = None
    """Its last run over a text."""

    @property
    def warning(self) -> str:
        """What speaks against it: a change of what it reads, or a drift of the last text."""
        return self.trouble or (self.last[1].drift if self.last else "")


def take_monitors(project: Project) -> list[MonitorItem]:
    """Return all monitors by name, each beside its last run."""
    runs = read_runs(project)
    found = []
    for name in project.monitors():
        try:
            monitor = read_monitor(project, name)
        except UserError as error:
            found.append(MonitorItem(name, None, str(error)))
        else:
            found.append(
                MonitorItem(name, monitor, _trouble(project, monitor), last_run(runs, name))
            )
    return found


def _trouble(project: Project, monitor: Monitor) -> str:
    """Return what has become of what a monitor reads; a model without an index is not looked at."""
    index = monitor.readout.index
    if not index:
        return ""
    if index not in project.indexes():
        return (
            f"The index “{index}” that it reads with is no longer in the project, so it cannot be "
            "run. Restore the index, or delete the monitor."
        )
    from sae_desktop.features.reading.index_file import read_info

    with suppress(UserError):
        info = read_info(project.index_path(index))
        known = monitor.dictionary_hash and info.dictionary_hash
        if known and monitor.dictionary_hash != info.dictionary_hash:
            return (
                f"The dictionary “{info.dictionary}” has been trained again since: its features "
                "have changed, and the promise is void. Make a new monitor."
            )
        now = (info.model, info.model_revision, info.tokenizer_hash)
        then = (monitor.model, monitor.revision, monitor.tokenizer)
        if monitor.model and now[1:] != then[1:] and all(now) and all(then):
            return (
                f"The index “{index}” was made again with another model than the monitor was "
                "calibrated on, and the promise is void. Make a new monitor."
            )
    return ""
