"""Documents of words and pictures. Free of torch; no picture is decoded here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST_TEXT = 1_000_000
"""Bytes of the words beside one picture."""


@dataclass(frozen=True)
class FoundPicture:
    """A picture that is not read yet."""

    name: str
    """Where it is within its source."""
    held: Path | bytes
    """Its file, or what was in it."""


@dataclass(frozen=True)
class MixedDocument:
    """Words and pictures in their order."""

    name: str
    parts: tuple[str | FoundPicture, ...]


@dataclass(frozen=True)
class Refused:
    """What was found and cannot be read."""

    name: str
    why: str


Item = MixedDocument | Refused
