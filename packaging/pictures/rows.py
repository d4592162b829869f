"""Rows of tokens to learn from: pictures with lines of text, and texts alone.

A picture enters as a grid of cells, each the mean of its patches: learning begins with few cells,
which cost little, and ends with the patches themselves. The lines of a picture do not see one
another in most rows, and each begins at the same place: all that a line says then has to be read
off the picture. In the others they follow each other, as the model writes them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from model import PATCHES
from texts import ROOM, Line, Teller
from torch import Tensor

NOTHING = -100
"""A target that is not learnt."""
EVERYWHERE = 0
"""The block of tokens that all later ones of a row see."""
CHAINED = 0.25
"""Share of pictures whose lines follow each other."""
SIDE = round(PATCHES**0.5)
Ids = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Arrays (N, T)."""

    ids: Ids
    targets: Ids
    blocks: Ids
    """Tokens of a block see those before them of it and of `EVERYWHERE`."""
    places: Ids

    def part(self, first: int, end: int) -> Rows:
        return Rows(*(each[first:end] for each in self))


def of_pictures(
    lines: list[list[Line]], grid: int, teller: Teller, chance: np.random.Generator
) -> Rows:
    """Return rows of pictures of `grid` × `grid` cells."""
    cell = SIDE // grid
    middles = cell * np.arange(grid) + (cell - 1) / 2
    places = 1 + np.floor(SIDE * middles[:, None] + middles).astype(np.int64).ravel()
    begun = 1 + len(places)
    ids = np.full((len(lines), begun + ROOM + 1), teller.eos, dtype=np.int64)
    targets = np.full(ids.shape, NOTHING, dtype=np.int64)
    blocks = np.full(ids.shape, len(ids[0]), dtype=np.int64)
    where = np.broadcast_to(np.arange(ids.shape[1]) + PATCHES - len(places), ids.shape).copy()
    ids[:, 0], ids[:, 1:begun] = teller.bos, teller.image
    where[:, 0], where[:, 1:begun] = 0, places
    blocks[:, :begun] = EVERYWHERE
    for row, said in enumerate(lines):
        chained, at = chance.random() < CHAINED, begun
        for number, line in enumerate(said, 1):
            tokens = [*line.asked, *line.told]
            end, told = at + len(tokens), at + len(line.asked)
            ids[row, at:end] = tokens
            first = at if chained else told
            targets[row, first - 1 : end - 1] = ids[row, first:end]
            blocks[row, at:end] = EVERYWHERE if chained else number
            if not chained:
                where[row, at:end] = 1 + PATCHES + np.arange(len(tokens))
            at = end
        if chained and said:
            targets[row, at - 1] = teller.eos
    return Rows(ids, targets, blocks, where)


def mask_of(blocks: Ids, dtype: torch.dtype) -> Tensor:
    """Return (N, 1, T, T), 0 where a token of the second last sees one of the last."""
    of = torch.from_numpy(blocks)
    seen = (of[:, None, :] == of[:, :, None]) | (of[:, None, :] == EVERYWHERE)
    seen &= torch.ones(seen.shape[1:], dtype=torch.bool).tril()
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]


def of_texts(texts: list[list[int]], length: int, teller: Teller) -> Rows:
    """Return rows of texts alone."""
    ids = np.full((len(texts), length), teller.eos, dtype=np.int64)
    targets = np.full(ids.shape, NOTHING, dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        targets[row, : len(text) - 1] = text[1:]
    return Rows(ids, targets, *one_after_another(ids.shape))


def one_after_another(shape: tuple[int, ...]) -> tuple[Ids, Ids]:
    """Return blocks and places (N, T) of tokens that see all before them."""
    return np.full(shape, EVERYWHERE), np.tile(np.arange(shape[1]), (shape[0], 1))


def together(first: Rows, second: Rows) -> Rows:
    return Rows(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))


def pooled(patches_NPE: Tensor, grid: int) -> Tensor:
    """Return (N, grid², E), means over the cells of a grid."""
    n, _, width = patches_NPE.shape
    cell = SIDE // grid
    return patches_NPE.view(n, grid, cell, grid, cell, width).mean(dim=(2, 4)).flatten(1, 2)
