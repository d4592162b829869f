"""What is remembered of plug-ins between starts: switched off, faults, loads that never ended.

Small files beside the user's settings, one for each plug-in, so that the window, the engine and
a command never write over one another's.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.own_settings import settings_path

_LOG = logging.getLogger(__name__)
_OFF, _FAULTS, _LOADING = "off", "faults", "loading"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The last exception that a plug-in raised while it was used."""

    version: str
    what: str
    details: str
    """The traceback."""
    when: str
    """ISO 8601, UTC."""


def _file(folder: str, key: str) -> Path:
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return settings_path().parent / "plugins" / folder / f"{name}.json"


def is_off(key: str) -> bool:
    """Whether a person has switched a plug-in off."""
    return _file(_OFF, key).is_file()


def switch(key: str, *, on: bool) -> None:
    """Switch a plug-in on or off, for every process that starts from now on.

    On also forgets its faults: it is tried again. Raises UserError where it cannot be kept.
    """
    if not on:
        write_bytes(_file(_OFF, key), msgspec.json.encode(key))
        return
    for folder in (_OFF, _FAULTS, _LOADING):
        _file(folder, key).unlink(missing_ok=True)


def keep_fault(key: str, version: str, what: str, details: str) -> None:
    """Remember a fault; where that fails it is only in the log."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    fault = Fault(version=version, what=what, details=details, when=when)
    try:
        write_bytes(_file(_FAULTS, key), msgspec.json.encode(fault))
    except Exception as error:
        _LOG.warning("a fault of the plug-in %s could not be kept: %s", key, error)


def fault_of(key: str, version: str) -> Fault | None:
    """Return the last fault of this version of a plug-in, since it was switched on."""
    try:
        fault = msgspec.json.decode(_file(_FAULTS, key).read_bytes(), type=Fault)
    except (OSError, ValueError):
        return None
    return fault if fault.version == version else None


@contextmanager
def loading(key: str, version: str) -> Iterator[None]:
    """Mark a plug-in while it is loaded: a process that dies meanwhile leaves the mark behind."""
    mark = _file(_LOADING, key)
    try:
        write_bytes(mark, msgspec.json.encode((os.getpid(), version)))
    except Exception as error:
        _LOG.warning("%s is loaded without a mark: %s", key, error)
    try:
        yield
    finally:
        with suppress(OSError):
            mark.unlink(missing_ok=True)


def ended_a_process(key: str, version: str) -> bool:
    """Whether a process has ended while it loaded this version of a plug-in."""
    try:
        pid, loaded = msgspec.json.decode(_file(_LOADING, key).read_bytes(), type=tuple[int, str])
    except (OSError, ValueError):
        return False
    if loaded != version or pid == os.getpid():
        return False
    import psutil  # seldom needed

    return not psutil.pid_exists(pid)
