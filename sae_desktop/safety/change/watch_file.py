"""What a watch keeps: the scores of every checkpoint, and a calibration. Free of torch and Qt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project import LONGEST_NAME
from sae_desktop.safety.change.alerts import Calibration
from sae_desktop.safety.change.config import WatchedCheckpoint
from sae_desktop.storage.faults import explained

_Kept = TypeVar("_Kept")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+ -]")
_LEAST = 16
"""Characters of a checkpoint's name that are kept at least."""


class WatchRecord(msgspec.Struct, kw_only=True):
    """Content of changes/<name>.watch.json."""

    folder: str
    settings: str
    """What scores depend on."""
    watched: list[WatchedCheckpoint] = []
    skipped: dict[str, str] = {}
    config: str = ""
    """WatchConfig that it was last started with, as JSON."""


def comparison_name(watch: str, checkpoint: str) -> str:
    """Return what the comparison of a watched checkpoint is called.

    A folder may have any name: what a project does not take becomes “-”, and of a long one the
    end stays, which tells it from the others.
    """
    begins = watch[: LONGEST_NAME - _LEAST - 1]
    room = LONGEST_NAME - len(begins) - 1
    return f"{begins} {_NOT_IN_NAMES.sub('-', checkpoint)[-room:]}".rstrip(". ")


def read_record(path: Path) -> WatchRecord:
    """Return what was watched. Raises UserError when it is missing or damaged."""
    return _read(path, WatchRecord, "watch")


def read_calibration(path: Path) -> Calibration:
    """Return a calibration. Raises UserError when it is missing or damaged."""
    return _read(path, Calibration, "calibration")


def _read(path: Path, kind: type[_Kept], what: str) -> _Kept:
    name = path.name.partition(f".{what}")[0]
    if not path.is_file():
        raise UserError(
            f"The project has no {what} “{name}”.",
            next_step="Make it with sae-desktop watch, or sae-desktop change calibrate.",
        )
    try:
        with explained(path, reading=True):
            return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"The {what} “{name}” is damaged: {error}.", next_step="Delete it and make it again."
        ) from error
