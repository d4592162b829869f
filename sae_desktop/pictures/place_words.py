"""Where a token of a picture is, in words. For the window, the command line and exports alike."""

from __future__ import annotations

from sae_desktop.pictures.places import PictureLayout


def loose_words(number: int) -> str:
    """Return what a token without a place is: the encoders that have any begin with these."""
    return "class token" if number == 0 else f"register {number}"


def place_words(layout: PictureLayout, token: int) -> str:
    """Return where a token is, such as “patch row 3, column 5”, counted from 1.

    Of several tiles also which; of a token without a place what it is.
    """
    place = layout.place(token)
    if place.tile < 0:
        return f"{loose_words(token)}, of the whole picture"
    found = f"patch row {place.row + 1}, column {place.column + 1}"
    if len(layout.tiles) > 1:
        found += f" of {tile_words(layout, place.tile)}"
    if place.right <= place.left or place.bottom <= place.top:
        found += ", in the border added around the picture"
    return found


def tile_words(layout: PictureLayout, number: int) -> str:
    """Return which tile it is: “tile 2 of 5”, or that it is the whole picture made small."""
    tile = layout.tiles[number]
    widest = max(one.columns * one.cell_width for one in layout.tiles)
    smallest = min(one.columns * one.cell_width for one in layout.tiles)
    if widest > smallest and tile.columns * tile.cell_width == widest:
        return "the small copy of the whole"
    return f"tile {number + 1} of {len(layout.tiles)}"
