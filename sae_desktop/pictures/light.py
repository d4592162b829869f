"""How activations of a picture's tokens lie over it: smooth light, and its strongest region.

Free of torch and Qt. N tokens of a `PictureLayout`; places in pixels of the upright picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sae_desktop.pictures.places import PictureLayout, Tile

REGION_LEAST = 0.5
"""Of the strongest patch's activation, what those around it have that are outlined with it."""

Floats = NDArray[np.float32]
Segment = tuple[float, float, float, float]
"""From (x, y) to (x, y)."""


def first_tokens(layout: PictureLayout) -> list[int]:
    """Return the first token of every tile, and the number of all."""
    sizes = [tile.rows * tile.columns for tile in layout.tiles]
    return [int(n) for n in np.cumsum([layout.loose, *sizes])]


def light(
    layout: PictureLayout, values: ArrayLike, width: int, height: int, tile: int | None = None
) -> Floats:
    """Return the light (height, width) over a picture drawn at that size.

    At the centre of a patch it is that patch's of `values` (N,); between centres it is
    interpolated, within a tile alone; where tiles overlap the strongest counts. 0 where no patch
    is. `tile`: of that one alone.
    """
    given = np.asarray(values, np.float32)
    x = (np.arange(width) + 0.5) * layout.width / width
    y = (np.arange(height) + 0.5) * layout.height / height
    found = np.zeros((height, width), np.float32)
    for number, (one, first) in enumerate(zip(layout.tiles, first_tokens(layout), strict=False)):
        if tile is not None and number != tile:
            continue
        grid = given[first : first + one.rows * one.columns].reshape(one.rows, one.columns)
        down, across = _weights(y, one.top, one.cell_height, one.rows), _weights(
            x, one.left, one.cell_width, one.columns
        )  # fmt: skip
        np.maximum(found, down @ grid @ across.T, out=found)
    return found


def _weights(places: NDArray[np.float64], first: float, size: float, cells: int) -> Floats:
    """Return how much each cell counts (places, cells): 1 in all within the tile, else 0."""
    at = (places - first) / size
    inside = (at >= 0.0) & (at <= cells)
    between = np.clip(at - 0.5, 0.0, cells - 1)
    low = np.minimum(between.astype(np.int64), max(cells - 2, 0))
    share = between - low
    weights = np.zeros((len(places), cells), np.float32)
    rows = np.arange(len(places))
    weights[rows, low] = np.where(inside, 1.0 - share, 0.0)
    if cells > 1:
        weights[rows, low + 1] = np.where(inside, share, 0.0)
    return weights


def strongest_region(layout: PictureLayout, values: ArrayLike) -> list[int]:
    """Return the tokens of the strongest patch and those that touch it, patch by patch, with at
    least `REGION_LEAST` of its activation, ascending.

    Of its tile alone. None where nothing fires, and where a token without a place or one beside
    the picture is the strongest.
    """
    given = np.asarray(values, np.float32)
    if not len(given) or not given.max() > 0.0:
        return []
    peak = int(given.argmax())
    place = layout.place(peak)
    if place.tile < 0 or place.right <= place.left or place.bottom <= place.top:
        return []
    tile, first = layout.tiles[place.tile], first_tokens(layout)[place.tile]
    grid = given[first : first + tile.rows * tile.columns].reshape(tile.rows, tile.columns)
    bright = grid >= REGION_LEAST * given[peak]
    waiting, found = [(place.row, place.column)], set[tuple[int, int]]()
    while waiting:
        row, column = waiting.pop()
        inside = 0 <= row < tile.rows and 0 <= column < tile.columns
        if not inside or not bright[row, column] or (row, column) in found:
            continue
        found.add((row, column))
        waiting += [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return sorted(first + row * tile.columns + column for row, column in found)


def outline(layout: PictureLayout, tokens: list[int]) -> list[Segment]:
    """Return the lines around patches of one tile: their sides that no two of them share."""
    if not tokens:
        return []
    number = layout.place(tokens[0]).tile
    tile, first = layout.tiles[number], first_tokens(layout)[number]
    cells = {divmod(token - first, tile.columns) for token in tokens}
    found: list[Segment] = []
    for row, column in sorted(cells):
        left, top, right, bottom = _box(layout, tile, row, column)
        if (row - 1, column) not in cells:
            found.append((left, top, right, top))
        if (row + 1, column) not in cells:
            found.append((left, bottom, right, bottom))
        if (row, column - 1) not in cells:
            found.append((left, top, left, bottom))
        if (row, column + 1) not in cells:
            found.append((right, top, right, bottom))
    return found


def _box(
    layout: PictureLayout, tile: Tile, row: int, column: int
) -> tuple[float, float, float, float]:
    left, top = tile.left + column * tile.cell_width, tile.top + row * tile.cell_height
    right, bottom = left + tile.cell_width, top + tile.cell_height
    return (
        min(max(left, 0.0), layout.width),
        min(max(top, 0.0), layout.height),
        min(max(right, 0.0), layout.width),
        min(max(bottom, 0.0), layout.height),
    )


def tokens_at(layout: PictureLayout, x: float, y: float) -> list[int]:
    """Return the tokens whose patch holds a place, those of the smallest patches first."""
    if not (0.0 <= x < layout.width and 0.0 <= y < layout.height):
        return []
    found: list[tuple[float, int]] = []
    for tile, first in zip(layout.tiles, first_tokens(layout), strict=False):
        row, column = (y - tile.top) // tile.cell_height, (x - tile.left) // tile.cell_width
        if 0 <= row < tile.rows and 0 <= column < tile.columns:
            area = tile.cell_width * tile.cell_height
            found.append((area, first + int(row) * tile.columns + int(column)))
    return [token for _, token in sorted(found)]


def next_token(layout: PictureLayout, token: int, down: int, across: int) -> int:
    """Return the token beside one in its tile, that many rows and columns on; itself where the
    tile ends. Tokens without a place stand in one row."""
    place = layout.place(token)
    if place.tile < 0:
        return min(max(token + across + down, 0), layout.loose - 1)
    tile = layout.tiles[place.tile]
    row = min(max(place.row + down, 0), tile.rows - 1)
    column = min(max(place.column + across, 0), tile.columns - 1)
    return first_tokens(layout)[place.tile] + row * tile.columns + column
