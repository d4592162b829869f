"""The rates that were measured of this machine, kept in the user's cache. Free of torch."""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from pathlib import Path

import msgspec

from sae_desktop.sizing.config import Rates
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.own_folders import cache_folder

VERSION = 1
"""Of what is measured, and how: figures of another one are not used."""


def rates_path() -> Path:
    """Return the file of this machine: a home folder may be shared by several."""
    host = re.sub(r"[^\w.-]", "-", platform.node()) or "this-machine"
    return cache_folder() / f"rates-{host}.json"


def kept_rates() -> Rates | None:
    """Return what was measured; None where nothing was, or by another version."""
    with suppress(OSError, msgspec.MsgspecError):
        found = msgspec.json.decode(rates_path().read_bytes(), type=Rates)
        return found if found.version == VERSION else None
    return None


def keep_rates(rates: Rates) -> None:
    """Keep what was measured. Raises UserError where the cache cannot be written."""
    write_bytes(rates_path(), msgspec.json.format(msgspec.json.encode(rates)))
