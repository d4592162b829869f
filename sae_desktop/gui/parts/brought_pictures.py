"""Pictures that are dropped or pasted."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage

ENDINGS = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
"""Of pictures/reading.py, which is not for the window: what a file is, the engine says."""


def picture_files(source: QMimeData) -> list[str]:
    """Return the files that are called as pictures are."""
    files = [url.toLocalFile() for url in source.urls() if url.isLocalFile()]
    return [file for file in files if Path(file).suffix.lower().lstrip(".") in ENDINGS]


def pasted_image(source: QMimeData) -> QImage | None:
    """Return a picture that is no file; None where there is a text, too, or none."""
    if not source.hasImage() or source.hasUrls() or source.hasText():
        return None
    found = source.imageData()
    return found if isinstance(found, QImage) and not found.isNull() else None


def brings_pictures(source: QMimeData) -> bool:
    """Return whether what is dropped or pasted is pictures."""
    return bool(picture_files(source)) or pasted_image(source) is not None
