"""What the job that finds a picture again is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.limits import Limits

SIDE = 1600
"""Pixels of the longer side of what is sent, at most."""


class OriginalPictureConfig(msgspec.Struct, frozen=True, kw_only=True, tag="original_picture"):
    """Read a picture again, large."""

    digest: str
    """SHA-256 of its file: another file of its name is not shown."""
    name: str
    """Where it is within its source."""
    place: str = ""
    """The picture, folder, archive or table it is from."""
    project: str = ""
    stores: list[str] = []
    """Stores of the project, which may have kept the picture itself."""
    side: Annotated[int, Limits(least=16, most=4096)] = SIDE


class OriginalPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it was found again."""

    name: str
    width: int
    height: int
    """Of the upright picture."""
    picture: bytes
    """WebP, no larger than was asked for."""
