"""What is said of pictures. For the window and the command line alike."""

from __future__ import annotations

from sae_desktop.pictures.place_words import place_words, tile_words
from sae_desktop.pictures.places import PictureLayout

__all__ = ["MODALITY_WORDS", "modality_title", "place_words", "size_words", "tile_words"]

MODALITY_WORDS = {
    "pictures": "mostly on pictures", "text": "mostly on text", "both": "on pictures and text",
}  # fmt: skip
"""Where a feature fires, as conditions, menus and pages say it."""


def modality_title(kind: str) -> str:
    """Return what a feature fires on as a menu says it."""
    words = MODALITY_WORDS[kind]
    return f"{words[:1].upper()}{words[1:]}"


def size_words(layout: PictureLayout) -> str:
    """Return a picture's size and how many tokens it is, such as “640 × 480 pixels, 64 tokens”."""
    return f"{layout.width:,} × {layout.height:,} pixels, {layout.tokens:,} image tokens"
