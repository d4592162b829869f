"""The rows of a batch on several ranks: each has a run of them, in the order of the ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.dictionary.batch_mates import BatchMates
from sae_desktop.training.ranks.group import Ranks
from sae_desktop.training.rows.pool import Feed

_SMALL = 2**16
"""Numbers of a tensor that travels with others."""


def share_of(rows: int, rank: int, ranks: int) -> tuple[int, int]:
    """Return the first row of a batch that a rank has, and the one after its last."""
    return rows * rank // ranks, rows * (rank + 1) // ranks


class ShareFeed:
    """Of every batch the rows of one rank."""

    def __init__(self, feed: Feed, rank: int, ranks: int) -> None:
        self._feed, self._rank, self._ranks = feed, rank, ranks

    def take(self, position: int, count: int) -> list[npt.NDArray[Any]]:
        """Return this rank's rows of the batch of rows `position` … of the run."""
        first, end = share_of(count, self._rank, self._ranks)
        return self._feed.take(position + first, end - first)

    def close(self) -> None:
        self._feed.close()


class RankMates(BatchMates):
    """Answers by asking the other ranks."""

    def __init__(self, ranks: Ranks, *, batch: int, total: int) -> None:
        """Take the rows of a batch and those of the whole run."""
        self._ranks, self._batch, self._total = ranks, batch, total
        self._rows = batch

    def begin(self, position: int) -> None:
        self._rows = min(self._batch, self._total - position)
        self._ranks.step = position // self._batch

    def rows(self, own: int) -> int:
        return self._rows

    def per_row(self, count: float, own: int) -> float:
        return float(self._numbers(count, dtype=torch.float64)) / self._rows

    def total(self, count: int) -> int:
        return int(self._numbers(count))

    def summed(self, own: Tensor) -> Tensor:
        return self._ranks.sum_(own.clone())

    def average_(self, means: Sequence[Tensor], own: int) -> None:
        weight = own / self._rows
        small = [mean for mean in means if mean.numel() < _SMALL]
        for mean in means:
            if mean.numel() >= _SMALL:
                self._ranks.sum_(mean.mul_(weight))
        together = torch.cat([mean.reshape(-1) for mean in small]).mul_(weight)
        parts = torch.split(self._ranks.sum_(together), [mean.numel() for mean in small])
        for mean, part in zip(small, parts, strict=True):
            mean.copy_(part.view_as(mean))

    def lowest(self, value: float) -> float:
        number = torch.tensor([value], dtype=torch.float64, device=self._ranks.device)
        return float(self._ranks.least_(number))

    def least(self, values: Tensor) -> Tensor | None:
        own = values.min() if len(values) else values.new_full((), torch.inf)
        least = self._ranks.least_(own.clone())
        return least if bool(least.isfinite()) else None

    def smallest(self, values: Tensor, place: int) -> Tensor:
        # The one sought is among each rank's first `place` too.
        first = values.new_full((place,), torch.inf)
        own = values.topk(min(place, len(values)), largest=False, sorted=False).values
        first[: len(own)] = own
        return self._ranks.gathered(first).view(-1).kthvalue(place).values

    def taken(self, count: int, above: int, ties: int) -> int:
        own = torch.tensor([above, ties], device=self._ranks.device)
        everybody = self._ranks.gathered(own).cpu().numpy()
        before = int(np.sum(everybody[: self._ranks.place.rank, 1]))
        return min(max(count - int(everybody[:, 0].sum()) - before, 0), ties)

    def _numbers(self, value: float, dtype: torch.dtype = torch.int64) -> Tensor:
        return self._ranks.sum_(torch.tensor([value], dtype=dtype, device=self._ranks.device))
