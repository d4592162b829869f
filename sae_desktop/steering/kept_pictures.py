"""The pictures of a prompt as presets and runs keep them. Free of torch and Qt.

A picture is kept by its place and digest, with a thumbnail; the file itself only where it is asked
for, or where nothing else has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Literal

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

Fate = Literal["there", "changed", "gone"]


class KeptPicture(msgspec.Struct, frozen=True, kw_only=True):
    """One picture before a prompt."""

    place: str
    """The path of its file."""
    digest: str
    """SHA-256 of the file."""
    thumbnail: bytes = b""
    """WebP; empty where no model has read it."""
    whole: bytes = b""
    """The file; empty where it is not kept."""

    @property
    def name(self) -> str:
        return PurePath(self.place).name


def keep(
    files: Sequence[str], known: Sequence[KeptPicture], whole: Sequence[str]
) -> list[KeptPicture]:
    """Return files of pictures as they are kept, those of `whole` with the files themselves.

    `known`: what was kept of them before, for their thumbnails. Raises UserError for one that is
    gone or too large.
    """
    thumbnails = {one.digest: one.thumbnail for one in known}
    found = []
    for file in files:
        data = _bytes_of(file)
        digest = hashlib.sha256(data).hexdigest()
        thumbnail = thumbnails.get(digest, b"")
        own = data if file in whole else b""
        found.append(KeptPicture(place=file, digest=digest, thumbnail=thumbnail, whole=own))
    return found


def fate(kept: KeptPicture) -> Fate:
    """Return whether the file at a picture's place is still the one that was kept."""
    try:
        data = _bytes_of(kept.place)
    except (UserError, ValueError):  # a path that no system has is a ValueError
        return "gone"
    return "there" if hashlib.sha256(data).hexdigest() == kept.digest else "changed"


def restored(kept: KeptPicture, folder: Path) -> str:
    """Return a file that is the picture as it was kept: its own, or one made in a folder.

    Where neither can be had it is its own place. Raises UserError where none can be written.
    """
    if not kept.whole or fate(kept) == "there":
        return kept.place
    # Of a preset from elsewhere neither name nor digest may say where a file is written.
    path = folder / f"{hashlib.sha256(kept.whole).hexdigest()}.picture"
    with explained(path):
        write_bytes(path, kept.whole)
    return str(path)


def _bytes_of(file: str) -> bytes:
    # pillow: the window is shown before it is there
    from sae_desktop.pictures.reading import picture_bytes

    return picture_bytes(Path(file).expanduser())
