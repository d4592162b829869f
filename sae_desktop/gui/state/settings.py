"""What the program remembers from one start to the next. Free of Qt."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.own_settings import settings_path as settings_path

_LOG = logging.getLogger(__name__)
RECENT_LIMIT = 8


class Settings(msgspec.Struct, kw_only=True):
    """Settings with their defaults. A value that no longer fits its type is dropped alone."""

    theme: str = "system"
    text_size: int = 100
    """Of all text in the window, in percent of the system's."""
    reduce_motion: bool = False
    """Whether nothing in the window moves by itself."""
    person: str = ""
    """Who writes labels; empty: what the system calls the person."""
    reopen: bool = True
    """Whether a start opens the last project."""
    device: str = "auto"
    """Where jobs compute whose own settings say “auto”."""
    threads: int = 0
    """Processor threads of the engine; 0: as many as it finds best."""
    memory_gb: int = 0
    """Gigabytes a job may plan with; 0: all that are free. Every process reads it:
    `storage.memory`."""
    projects_folder: str = ""
    """Offered for new projects; empty: the home folder."""
    network_off: bool = False
    """Whether nothing may leave this machine; every process reads it: `storage.network`."""
    keep_crashes: bool = False
    """Whether a report of each crash is kept without being asked for."""
    toured: bool = False
    """Whether the tour was taken, or left: it is not offered beside the first steps again."""
    last_project: str = ""
    opening: str = ""
    """The project that a start began to open, until it is open."""
    recent_projects: list[str] = []
    workspace: str = "project"
    geometry: str = ""
    """Size and place of the window, as Qt saves it, in base 64."""
    window_state: str = ""
    """Which docks of the window are open, as Qt saves it, in base 64."""
    workspace_states: dict[str, str] = {}
    """Workspace → its docks, as Qt saves them, in base 64."""
    log_axes: list[str] = msgspec.field(default_factory=lambda: ["loss", "fvu"])
    """Training curves drawn over a logarithmic axis."""
    shown_curves: list[str] = []
    """Training curves that are drawn; none: those drawn at first."""
    curve_axis: str = "rows"
    """What the curves are drawn over: rows, step, seconds, compute."""
    list_columns: list[str] = []
    """Columns of the list of features; none: those shown at first."""
    smoothing: float = 0.0
    """How much of the past each point of a curve keeps, 0 to 0.99."""

    def remember_project(self, path: str) -> None:
        """Put a project first among the recent ones."""
        self.last_project = path
        others = [other for other in self.recent_projects if other != path]
        self.recent_projects = [path, *others][:RECENT_LIMIT]


def load(path: Path) -> Settings:
    """Read settings; whatever is missing or broken gets its default, key by key."""
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, RecursionError) as error:
        _LOG.warning("settings at %s are unreadable and were set aside: %s", path, error)
        return Settings()
    if not isinstance(raw, dict):
        return Settings()
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if field.name not in raw:
            continue
        try:
            kept[field.name] = msgspec.convert(raw[field.name], field.type)
        except msgspec.ValidationError as error:
            _LOG.warning("setting “%s” was dropped: %s", field.name, error)
    return Settings(**kept)


def save(settings: Settings, path: Path) -> None:
    """Write settings; a failure is logged, since nothing of the work depends on them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, msgspec.json.format(msgspec.json.encode(settings)))
    except Exception as error:
        _LOG.warning("settings could not be saved: %s", error)
