"""What the head of a circuit-tracer graph says, without reading the rest. Free of torch and Qt."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

_HEAD = 2**20
"""Bytes at the beginning of a file, where its metadata are."""
_SCAN = re.compile(rb'"scan"\s*:\s*("(?:[^"\\]|\\.)*")')


def named_set(path: Path) -> str:
    """Return the set that a graph's file names; empty: none, or it cannot be read."""
    try:
        with path.open("rb") as file:
            found = _SCAN.search(file.read(_HEAD))
        return "" if found is None else msgspec.json.decode(found[1], type=str)
    except (OSError, ValueError):
        return ""
