"""A picture out of a file: upright, in red, green and blue, and never more than the limits."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sae_desktop.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MOST_BYTES = 64_000_000
"""Of a picture's file."""
MOST_PIXELS = 80_000_000
"""Of a picture: 320 MB of memory while it is turned upright."""
MOST_SIDE = 30_000

_WRITTEN = "Save it as PNG, JPEG, WebP, GIF, BMP or TIFF."
_VECTORS = {b"<svg": "an SVG drawing", b"%PDF": "a PDF document", b"%!PS": "a PostScript drawing"}
_HEAD = 4096
_WHITE = (255, 255, 255)
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class ReadPicture:
    """A picture as it was read."""

    image: Image.Image
    """Upright, mode RGB."""
    format: str
    """As pillow calls it, such as “JPEG”."""
    digest: str
    """SHA-256 of the file."""
    notes: tuple[str, ...] = ()
    """What was done to it beyond reading, such as “turned upright”."""


def read_picture(source: Path | bytes, name: str = "") -> ReadPicture:
    """Return a picture that is read whole, within the limits of this module.

    `name` is what it is called in an error; a file's own where it is not given. Raises UserError
    for what is not such a picture, is damaged or cut short, or is too large: told by its header,
    before its pixels are.
    """
    data = picture_bytes(source) if isinstance(source, Path) else source
    name = name or (str(source) if isinstance(source, Path) else "The picture")
    if len(data) > MOST_BYTES:
        raise _too_large(name, f"has {len(data):,} bytes, more than {MOST_BYTES:,}")
    _refuse_drawings(data, name)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened, name)
            return _upright(opened, name, data)
    except UserError:
        raise
    except Exception as error:  # each format's reader has its own for what is damaged
        raise _explained(error, name) from error


def picture_size(source: Path | bytes, name: str = "") -> tuple[int, int]:
    """Return the (width, height) of the upright picture, by its header alone.

    Raises UserError as `read_picture`, but for damage that only its pixels show.
    """
    name = name or (str(source) if isinstance(source, Path) else "The picture")
    held = _HeadOf(source, name)
    try:
        _refuse_drawings(held.first, name)
        with Image.open(held.file, formats=FORMATS) as opened:
            _check_size(opened, name)
            width, height = opened.size
            turned = opened.getexif().get(_ORIENTATION, 1) in range(5, 9)
            return (height, width) if turned else (width, height)
    except UserError:
        raise
    except Exception as error:  # each format's reader has its own for what is damaged
        raise _explained(error, name) from error
    finally:
        held.file.close()


class _HeadOf:
    """A picture's file, opened at its beginning."""

    def __init__(self, source: Path | bytes, name: str) -> None:
        if isinstance(source, Path):
            _check_file(source)
            self.file: BinaryIO = _opened(source)
        else:
            if len(source) > MOST_BYTES:
                raise _too_large(name, f"has {len(source):,} bytes, more than {MOST_BYTES:,}")
            self.file = io.BytesIO(source)
        self.first = self.file.read(_HEAD)
        self.file.seek(0)


def _explained(error: Exception, name: str) -> UserError:
    """Return what stopped a format's reader, in words."""
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return _too_large(name, f"has more than {MOST_PIXELS:,} pixels")
    if isinstance(error, UnidentifiedImageError):
        return UserError(f"“{name}” is not a picture that can be read.", next_step=_WRITTEN)
    return UserError(
        f"“{name}” is damaged or cut short: {str(error)[:200] or type(error).__name__}.",
        kept="Nothing of it was read.",
        next_step="Copy or download it again.",
    )


def picture_bytes(path: Path) -> bytes:
    """Return a picture's file. Raises UserError where it is too large, gone, or none."""
    _check_file(path)
    with _opened(path) as file:
        return file.read(MOST_BYTES + 1)


def _check_file(path: Path) -> None:
    with _told(path):
        told = path.stat()
    if not stat.S_ISREG(told.st_mode):
        raise UserError(f"“{path}” is not a file.", next_step="Choose a picture.")
    if told.st_size > MOST_BYTES:
        raise _too_large(str(path), f"has {told.st_size:,} bytes, more than {MOST_BYTES:,}")


def _opened(path: Path) -> BinaryIO:
    with _told(path):
        return path.open("rb")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in words what the system has against a file."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"There is no file “{path}”.", next_step="Choose a picture that exists."
        ) from error
    except OSError as error:
        raise UserError(
            f"“{path}” cannot be read: {error.strerror}.", next_step="Check who may read it."
        ) from error


def _refuse_drawings(data: bytes, name: str) -> None:
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    for begin, what in _VECTORS.items():
        is_xml = begin == b"<svg" and head.startswith((b"<?xml", b"<!")) and begin in head
        if head.startswith(begin) or is_xml:
            raise UserError(
                f"“{name}” is {what}, which has no pixels of its own.", next_step=_WRITTEN
            )


def _check_size(opened: Image.Image, name: str) -> None:
    width, height = opened.size
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise _too_large(
            name,
            f"has {width:,} × {height:,} pixels; up to {MOST_PIXELS // 1_000_000} million are "
            f"read, and {MOST_SIDE:,} a side",
        )
    if not width or not height:
        raise UserError(f"“{name}” has no pixels.", next_step="Choose another picture.")


def _too_large(name: str, why: str) -> UserError:
    return UserError(
        f"“{name}” {why}.", kept="It was not read.", next_step="Make it smaller, or leave it out."
    )


def _upright(opened: Image.Image, name: str, data: bytes) -> ReadPicture:
    notes = []
    if getattr(opened, "is_animated", False):
        notes.append("the first picture of an animation")
    opened.load()
    if opened.mode in ("I", "F"):
        raise UserError(
            f"“{name}” holds numbers of 32 bits for each pixel, not colours.",
            next_step="Save it with 8 or 16 bits for each pixel.",
        )
    found: Image.Image = opened
    if opened.getexif().get(_ORIENTATION, 1) in range(2, 9):
        found = ImageOps.exif_transpose(opened)
        notes.append("turned upright, as its camera says")
    if found.mode.startswith("I;16"):
        notes.append("16 bits for each pixel cut to 8")
        found = Image.fromarray((np.asarray(found) >> 8).astype(np.uint8))
    if found.mode == "CMYK":
        notes.append("printing colours turned into screen colours")
    if found.has_transparency_data:
        notes.append("laid on white where it is transparent")
        whole = found.convert("RGBA")
        found = Image.new("RGB", whole.size, _WHITE)
        found.paste(whole, mask=whole.getchannel("A"))
    image = found.convert("RGB")
    digest = hashlib.sha256(data).hexdigest()
    return ReadPicture(image, str(opened.format), digest, tuple(notes))
