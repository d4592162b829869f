"""A limit on the tokens that a model makes of one picture: it is given a smaller one."""

from __future__ import annotations

from sae_desktop.errors import UserError
from sae_desktop.language_model.pictures.reader import PictureReader
from sae_desktop.pictures.places import PictureLayout, Tile

_STEP = 0.93
_SMALLEST = 16
"""Pixels of the shorter side, below which no smaller one is tried."""


def size_within(reader: PictureReader, size: tuple[int, int], most: int) -> tuple[int, int]:
    """Return the largest (width, height) tried, of about the same shape, with at most so many
    tokens; 0: any number.

    Raises UserError where the model makes more of small ones, too.
    """
    width, height = size
    tokens = reader.layout(width, height).tokens
    if not most or tokens <= most:
        return size
    scale = 1.0
    while min(width, height) * scale > _SMALLEST:
        scale *= _STEP
        smaller = max(1, round(width * scale)), max(1, round(height * scale))
        if reader.layout(*smaller).tokens <= most:
            return smaller
    raise UserError(
        f"“{reader.name}” makes {tokens:,} tokens of a picture of {width:,} × {height:,} pixels, "
        f"more than {most:,}, and no fewer of a smaller one.",
        next_step="Allow more image tokens for each picture, or choose another model.",
    )


def stretched(layout: PictureLayout, size: tuple[int, int]) -> PictureLayout:
    """Return the layout of a smaller picture in the pixels of the one of `size`."""
    width, height = size
    if (layout.width, layout.height) == size:
        return layout
    across, down = width / layout.width, height / layout.height
    tiles = [
        Tile(
            t.rows, t.columns, t.left * across, t.top * down, t.cell_width * across,
            t.cell_height * down,
        )
        for t in layout.tiles
    ]  # fmt: skip
    return PictureLayout(width, height, tiles, layout.loose)
