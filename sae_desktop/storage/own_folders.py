"""Where the program keeps what belongs to no project: nothing else asks the system for it.

Whoever writes to one of these places has a row in `sae_desktop.caches.table`, which is where a
person sees them. Free of torch and Qt.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_NAME = "sae-desktop"
TEMPORARY_PREFIX = f"{_NAME}-"
"""Begins the names of temporary folders, so that those of a process that was killed are found."""

COMPILED = "NUMBA_CACHE_DIR"
"""The variable by which numba is told where to keep what it has compiled."""


def cache_folder() -> Path:
    """Return the folder of what can be made or fetched again."""
    return Path(platformdirs.user_cache_dir(_NAME, appauthor=False))


def config_folder() -> Path:
    """Return the folder of settings and consents."""
    return Path(platformdirs.user_config_dir(_NAME, appauthor=False))


def data_folder() -> Path:
    """Return the folder of a person's own copies."""
    return Path(platformdirs.user_data_dir(_NAME, appauthor=False))


def log_folder() -> Path:
    """Return the folder of logs and crash reports."""
    return Path(platformdirs.user_log_dir(_NAME, appauthor=False))


def places_folder() -> Path:
    """Return the folder that remembers where a person was in each project."""
    return Path(platformdirs.user_state_dir(_NAME, appauthor=False)) / "places"


def compiled_folder() -> Path:
    """Return the folder in which numba keeps what it has compiled, unless a person has moved it."""
    return cache_folder() / "compiled"


def desktop_files() -> tuple[Path, Path]:
    """Return the files by which a desktop on Linux opens packages: the kind, and the program."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (
        data / "mime" / "packages" / f"{_NAME}.xml",
        data / "applications" / f"{_NAME}.desktop",
    )
