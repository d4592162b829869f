"""Pictures, and where a model’s tokens are in them, in words. Free of Qt."""

from __future__ import annotations

from sae_desktop.language_model.picture_config import PicturePreview, PicturesDescription
from sae_desktop.pictures.places import PictureLayout, Tile


def found_text(found: PicturesDescription) -> str:
    """Return how many pictures a source has."""
    pictures = "1 picture" if found.pictures == 1 else f"{found.pictures:,} pictures"
    documents = "1 document" if found.documents == 1 else f"{found.documents:,} documents"
    more = "" if found.complete else ", and more that were not looked at"
    not_read = f"; {found.refusals:,} cannot be read" if found.refusals else ""
    return f"{found.name}: {pictures} in {documents}{more}{not_read}"


def picture_text(one: PicturePreview) -> str:
    """Return what a picture is and what was done to it."""
    return ", ".join([one.format, *one.notes])


def cells_text(layout: PictureLayout) -> list[str]:
    """Return which tokens a model makes of a picture, and of which part each is."""
    lines = [f"{layout.tokens:,} tokens"]
    if layout.loose:
        count = "1 token is" if layout.loose == 1 else f"{layout.loose:,} tokens are"
        lines.append(f"{count} of the whole picture and of no part of it")
    first = layout.loose
    for number, tile in enumerate(layout.tiles):
        last = first + tile.rows * tile.columns - 1
        name = f"tile {number + 1}: " if len(layout.tiles) > 1 else ""
        lines.append(f"{name}tokens {first:,} to {last:,}, {_tile_text(tile)}")
        first = last + 1
    return lines


def _tile_text(tile: Tile) -> str:
    grid = f"{tile.rows} rows of {tile.columns}"
    size = f"{tile.cell_width:.5g} × {tile.cell_height:.5g} pixels each"
    return f"{grid}, {size}, from {tile.left:.5g} across and {tile.top:.5g} down"
