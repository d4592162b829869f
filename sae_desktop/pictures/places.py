"""Which part of a picture a token of a model is of, in the pixels of the upright picture."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray


class Tile(msgspec.Struct, frozen=True):
    """A part of a picture that a model reads as a grid of cells, one token each."""

    rows: int
    columns: int
    left: float
    top: float
    """Where the first cell begins; outside the picture where that was padded."""
    cell_width: float
    cell_height: float


@dataclass(frozen=True)
class Place:
    """Where one token of a picture is: `tile` −1 of a token that is of no part of it."""

    tile: int
    row: int
    column: int
    left: float
    top: float
    right: float
    bottom: float


class PictureLayout(msgspec.Struct, frozen=True):
    """The tokens of one picture in their order: loose ones, then each tile's, row by row."""

    width: int
    height: int
    """Of the upright picture."""
    tiles: list[Tile]
    loose: int = 0
    """Tokens before the first tile's, each of the whole picture."""

    @property
    def tokens(self) -> int:
        return self.loose + sum(tile.rows * tile.columns for tile in self.tiles)

    def places(self) -> NDArray[np.int32]:
        """Return (tile, row, column) of every token, shape (tokens, 3); −1 of loose ones."""
        parts = [np.full((self.loose, 3), -1, dtype=np.int32)]
        for number, tile in enumerate(self.tiles):
            rows, columns = np.indices((tile.rows, tile.columns), dtype=np.int32)
            tiles = np.full(rows.size, number, dtype=np.int32)
            parts.append(np.stack([tiles, rows.ravel(), columns.ravel()], axis=1))
        return np.concatenate(parts)

    def names(self) -> list[str]:
        """Return what a person calls each token: its row and column, from 1 at the top left."""
        several = len(self.tiles) > 1
        found = []
        for tile, row, column in self.places().tolist():
            of = f"tile {tile + 1}, " if several else ""
            is_loose = tile < 0
            found.append("whole picture" if is_loose else f"{of}row {row + 1}, column {column + 1}")
        return found

    def boxes(self) -> NDArray[np.float64]:
        """Return (left, top, right, bottom) of every token in pixels, shape (tokens, 4).

        No more than the picture: of a cell that lies in padding alone it has no area.
        """
        whole = np.array([0.0, 0.0, self.width, self.height])
        parts = [np.tile(whole, (self.loose, 1))]
        for tile in self.tiles:
            rows, columns = np.indices((tile.rows, tile.columns), dtype=np.float64)
            left = tile.left + columns.ravel() * tile.cell_width
            top = tile.top + rows.ravel() * tile.cell_height
            parts.append(
                np.stack([left, top, left + tile.cell_width, top + tile.cell_height], axis=1)
            )
        found = np.concatenate(parts)
        found[:, 0::2] = found[:, 0::2].clip(0.0, self.width)
        found[:, 1::2] = found[:, 1::2].clip(0.0, self.height)
        return found

    def place(self, token: int) -> Place:
        """Return where a token is, counted from 0 within the picture."""
        tile, row, column = (int(n) for n in self.places()[token])
        left, top, right, bottom = (float(n) for n in self.boxes()[token])
        return Place(tile, row, column, left, top, right, bottom)
