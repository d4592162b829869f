"""How much memory a process may still take: of the machine, and by the settings.

Free of torch and Qt.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.own_settings import kept_setting

SETTING = "memory_gb"
"""The field of the window's settings that holds for every process of this user."""
_GB = 1_000_000_000
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)
"""Of a container: its limit, what it uses, and of that what."""


def free_memory() -> int:
    """Return the bytes this process may still take: a container's limit and the settings' kept."""
    free = int(psutil.virtual_memory().available)
    for limit, used, stat in _CGROUPS:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
            free = min(free, left + _given_back(Path(stat).read_text()))
        except (OSError, ValueError):  # no such limit: "max", or another system
            continue
    allowed = memory_limit()
    if allowed is not None:
        free = min(free, allowed - int(psutil.Process().memory_info().rss))
    return max(0, free)


def memory_limit() -> int | None:
    """Return the bytes that the person allows a process in the settings; None: all there are."""
    found = kept_setting(SETTING)
    return found * _GB if isinstance(found, int) and found > 0 else None


def limit_text() -> str:
    """Return in a sentence that the settings set a limit, for where something lacks memory."""
    allowed = memory_limit()
    if allowed is None:
        return ""
    return f" Edit › Settings › Memory allows it {format_bytes(allowed)} in all."


def _given_back(stat: str) -> int:
    """Return the bytes of cached files a container gives back where memory is short."""
    found = dict(line.split(maxsplit=1) for line in stat.splitlines())
    return int(found.get("inactive_file", 0)) + int(found.get("active_file", 0))
