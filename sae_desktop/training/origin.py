"""Where a dictionary comes from: what it was trained on, or where it was imported from."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Literal

import msgspec

from sae_desktop.storage.atomic import write_bytes

ORIGIN = "origin.json"


class DictionaryOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a dictionary that was brought into the project."""

    kind: Literal["import", "package"]
    source: str
    """A path, a repository of the hub, a release of SAELens; of a package its file's name."""
    which: str = ""
    """The dictionary within its source; empty where that is all of it."""
    format: str = ""
    sha256: str = ""
    """Of the file that was read, where it is a single one."""
    when: str = ""
    """The time in ISO 8601; empty where it is not known."""
    before: str = ""
    """Of a package: in words, where the dictionary came from before it was packed."""


def now_text() -> str:
    """Return the time as `when` keeps it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_origin(folder: Path, origin: DictionaryOrigin) -> None:
    """Keep in a dictionary's folder where it was brought from."""
    write_bytes(folder / ORIGIN, msgspec.json.format(msgspec.json.encode(origin)))
