"""Which pre-activations are kept, found while only a block of rows is in memory.

The (T, F) pre-activations of a batch are made a block of rows at a time, in a buffer used
again, so that memory grows with the features but not with batch × features. Positive
floating-point numbers are ordered as the integers of the same bits, which compare faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary.batch_mates import ALONE, BatchMates

BLOCK_BYTES = 16 * 2**20
"""Of pre-activations held at once, unless the fewest rows of a block need more."""
FEWEST_ROWS = 128
"""Rows of a block at least: with fewer, reading the weights costs more than multiplying."""
_GROUPS_PER_KEPT = 4
_ORDERED_BITS = {
    torch.bfloat16: torch.int16,
    torch.float16: torch.int16,
    torch.float32: torch.int32,
}
_HINT = 0.9
"""How far below the last smallest kept value the next one is looked for."""
_FIRST_SHARE = 1.5
_NOTHING = 1e-6
_BYTES_PER_WORD = 8


@dataclass(frozen=True)
class Kept:
    """The entries kept of a (T, F) matrix."""

    flat: Tensor
    """(n,) int64: ascending flat indices row·F + feature."""
    values: Tensor
    """(n,) float32, all positive."""


class EncoderBlocks:
    """Pre-activations x·Wᵀ + b of a batch, a block of rows at a time; can be gone through again."""

    def __init__(self, x_TI: Tensor, W_FI: Tensor, b_F: Tensor, buffer: BlockBuffer) -> None:
        """Take everything in the dtype of the product: x (T, I), W (F, I), b (F,)."""
        self.rows, self.features = len(x_TI), len(W_FI)
        self._x, self._W, self._b, self._buffer = x_TI, W_FI, b_F, buffer

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        """Yield (first row, pre-activations (R, F)); a block is valid until the next."""
        size = block_rows(self.features, self._x.element_size())
        for first in range(0, self.rows, size):
            x = self._x[first : first + size]
            out = self._buffer.of(len(x), self.features, x)
            yield first, torch.addmm(self._b, x, self._W.T, out=out)


class BlockBuffer:
    """Memory for one block, kept between steps: a fresh one costs a tenth of the step."""

    def __init__(self) -> None:
        self._data: Tensor | None = None

    def of(self, rows: int, features: int, like: Tensor) -> Tensor:
        """Return (rows, features) of the dtype and device of `like`, its content undefined."""
        data = self._data
        needed = rows * features
        if data is None or data.numel() < needed or data.dtype != like.dtype:
            data = self._data = torch.empty(needed, dtype=like.dtype, device=like.device)
        return data[:needed].view(rows, features)


def block_rows(features: int, element_bytes: int) -> int:
    """Return how many rows of pre-activations are made at once."""
    return max(FEWEST_ROWS, BLOCK_BYTES // (features * element_bytes))


def largest_per_row(blocks: EncoderBlocks, k: int) -> Kept:
    """Find the k largest positive entries of every row; fewer where fewer are positive."""
    found = []
    for first, pre_RF in blocks:
        flat, values = above(pre_RF, _lower_bounds(pre_RF, k))
        keep = _best_of_each_row(torch.div(flat, blocks.features, rounding_mode="floor"), values, k)
        places = keep.nonzero().squeeze(1)  # once for both
        found.append((flat[places] + first * blocks.features, values[places]))
    return _joined(found)


class LargestOfBatch:
    """Finds the k·T largest positive entries of a batch, guessing where they begin.

    The guess is the last batch's; the result does not depend on it.
    """

    def __init__(self) -> None:
        self._floor: float | None = None

    def __call__(self, blocks: EncoderBlocks, count: int, mates: BatchMates = ALONE) -> Kept:
        """Return those here of the whole batch's `count` largest, fewer where fewer are positive.

        `mates` have the rest of the batch, and get the rest of the entries.
        """
        floor = self._floor
        if floor is None:
            per_row = count / mates.rows(blocks.rows)
            floor = mates.lowest(_guess(next(iter(blocks))[1], per_row))
        kept = _all_above(blocks, floor)
        while mates.total(len(kept.values)) < count and floor > 0:
            floor = floor / 2 if floor > _NOTHING else 0.0
            kept = _all_above(blocks, floor)
        kept = _largest(kept, count, mates)
        least = mates.least(kept.values)
        self._floor = None if least is None else _HINT * float(least)
        return kept


def positive(blocks: EncoderBlocks) -> Kept:
    """Find every positive entry."""
    return _all_above(blocks, 0.0)


def true_places(mask: Tensor) -> Tensor:
    """Return the ascending flat indices of a contiguous mask's true entries, (n,) int64.

    Where few are true, whole words of false ones are skipped.
    """
    flat = mask.view(-1)
    if flat.numel() % _BYTES_PER_WORD:
        return flat.nonzero().squeeze(1)
    words = flat.view(torch.int64).nonzero().squeeze(1)
    place, inside = flat.view(-1, _BYTES_PER_WORD)[words].nonzero().unbind(1)
    return words[place] * _BYTES_PER_WORD + inside


def _all_above(blocks: EncoderBlocks, floor: float) -> Kept:
    found = []
    for first, pre_RF in blocks:
        flat, values = above(pre_RF, torch.full((), floor, device=pre_RF.device))
        found.append((flat + first * blocks.features, values))
    return _joined(found)


def above(pre_RF: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Return flat indices and float32 values of the positive entries ≥ floor.

    The floor is one number, one a row (R, 1), or one a feature (F,).
    """
    bits = _ORDERED_BITS[pre_RF.dtype]
    # The bits of the smallest positive number are 1: nothing ≤ 0 passes.
    least = floor.to(pre_RF.dtype).contiguous().view(bits).clamp_min(1)
    flat = true_places(torch.ge(pre_RF.view(bits), least))
    return flat, pre_RF.view(-1)[flat].float()


def _lower_bounds(pre_RF: Tensor, k: int) -> Tensor:
    """Return (R, 1) values that at least k entries of each row reach, and not many more.

    The k-th largest of the maxima of disjoint groups is such a one.
    """
    features = pre_RF.shape[1]
    groups = _GROUPS_PER_KEPT * k
    size = features // groups
    if size < 2:
        bounds = pre_RF.topk(min(k, features), dim=1, sorted=False).values
    else:
        maxima = pre_RF[:, : size * groups].view(-1, size, groups).amax(dim=1)
        maxima = torch.cat([maxima, pre_RF[:, size * groups :]], dim=1)
        bounds = maxima.topk(k, dim=1, sorted=False).values
    return bounds.amin(dim=1, keepdim=True)


def _best_of_each_row(row: Tensor, values: Tensor, k: int) -> Tensor:
    """Return (n,) bool: the k largest among the entries of each row, given in row order."""
    counts = torch.bincount(row)
    most = int(counts.max()) if len(counts) else 0
    keep = torch.ones_like(row, dtype=torch.bool)
    if most <= k:
        return keep
    starts = torch.cumsum(counts, 0) - counts
    rank = torch.arange(len(row), device=row.device) - starts[row]
    padded = values.new_full((len(counts), most), -torch.inf)
    padded[row, rank] = values
    best = padded.topk(k, dim=1, sorted=False)
    chosen = (starts[:, None] + best.indices)[best.values > -torch.inf]
    return torch.zeros_like(keep).index_fill_(0, chosen, True)


def _largest(kept: Kept, count: int, mates: BatchMates) -> Kept:
    surplus = mates.total(len(kept.values)) - count
    if surplus <= 0:
        return kept
    smallest = mates.smallest(kept.values, surplus + 1)
    keep = kept.values > smallest
    ties = (kept.values == smallest).nonzero().squeeze(1)
    keep[ties[: mates.taken(count, int(keep.sum()), len(ties))]] = True
    places = keep.nonzero().squeeze(1)  # once for both
    return Kept(kept.flat[places], kept.values[places])


def _guess(pre_RF: Tensor, per_row: float) -> float:
    """Return a value that rather more than `per_row` entries a row exceed."""
    sample = pre_RF[:FEWEST_ROWS].float().flatten()
    count = min(sample.numel(), int(_FIRST_SHARE * per_row * min(len(pre_RF), FEWEST_ROWS)) + 1)
    return max(0.0, float(sample.topk(count, sorted=False).values.min()))


def _joined(found: list[tuple[Tensor, Tensor]]) -> Kept:
    return Kept(torch.cat([flat for flat, _ in found]), torch.cat([v for _, v in found]))
