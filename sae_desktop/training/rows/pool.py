"""In which order a run sees the rows of a store, and where it takes them from.

Both orders are endless sequences of passes, each of which visits every row once, and depend on
the seed and the position alone: a resumed run continues with exactly the rows that were next.
A store that fits in memory is read row by row in random order. Of a larger one big blocks are
read, so that the disk is read along, into a pool, whose rows are then drawn in random order.

Shape legend: T rows of a batch, W width of a part, M rows of a pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Gather = Callable[[Rows], Array]
"""From row numbers (T,) to those rows of one part, (T, W), as they are stored."""

STORE_SHARE = 0.7
"""Of the free memory: a store that takes more is not read at random."""
_POOL_SHARE = 0.25
_BLOCK_ROWS = 8192
_FEWEST_BLOCKS = 16


class Feed(Protocol):
    """An endless sequence of rows that can be entered anywhere."""

    def take(self, position: int, count: int) -> list[Array]:
        """Return rows `position` … of every part, (count, W) each, as they are stored."""

    def close(self) -> None:
        """End what works in the background."""


class PoolSize(NamedTuple):
    """How a pool is filled. Kept in checkpoints: another size would be another order."""

    rows: int = 0
    """Rows in the pool at least, but for the last pool of a pass; 0: no pool is needed."""
    block: int = 0
    """Rows read along."""


def choose_pool(rows: int, row_bytes: int, free: int) -> PoolSize:
    """Return the pool for a store of a given number of rows, where a given number of bytes of
    memory are free.
    """
    if rows * row_bytes <= STORE_SHARE * free:
        return PoolSize()
    # Two pools are in memory: one is drawn from while the next one is filled.
    size = max(_FEWEST_BLOCKS, min(rows, int(_POOL_SHARE * free / 2 / row_bytes)))
    block = max(1, min(_BLOCK_ROWS, size // _FEWEST_BLOCKS))
    return PoolSize(size - size % block, block)


class RandomFeed:
    """Rows drawn at random, each once a pass."""

    def __init__(self, parts: Sequence[Gather], rows: Rows, seed: int) -> None:
        self._parts, self._rows, self._seed = parts, rows, seed
        self._number, self._order = -1, rows

    def take(self, position: int, count: int) -> list[Array]:
        size, chosen = len(self._rows), []
        while count:
            number, begin = divmod(position, size)
            if number != self._number:
                self._order = self._rows[shuffled(size, self._seed, number)]
                self._number = number
            chosen.append(self._order[begin : begin + count])
            position += len(chosen[-1])
            count -= len(chosen[-1])
        rows = np.concatenate(chosen)
        return [gather(rows) for gather in self._parts]

    def close(self) -> None:
        return


@dataclass(frozen=True)
class _Pass:
    """The pools of one pass: the blocks in their order, and where each pool begins."""

    blocks: Rows
    first_block: Rows
    """(pools + 1,)"""
    first_row: Rows
    """(pools + 1,), counted from the beginning of the pass."""


@dataclass(frozen=True)
class Pool:
    """Rows in memory, and the order in which they are drawn."""

    values: list[Array]
    """(M, W) each part, as stored."""
    order: Rows
    """(M,)"""

    def draw(self, place: int, count: int) -> list[Array]:
        """Return the next rows of the order, fewer where it ends."""
        chosen = self.order[place : place + count]
        return [part[chosen] for part in self.values]


class PooledFeed:
    """Blocks in random order, and random rows of as many of them as the pool holds.

    The next pool is filled by a thread while rows are drawn from this one.
    """

    def __init__(self, parts: Sequence[Gather], rows: Rows, seed: int, size: PoolSize) -> None:
        self._parts, self._rows, self._seed, self._size = parts, rows, seed, size
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pool")
        self._plan = lru_cache(maxsize=2)(self._planned)
        self._pools: dict[tuple[int, int], Future[Pool]] = {}
        """By the numbers of pass and pool: the one drawn from and the one being filled."""

    def take(self, position: int, count: int) -> list[Array]:
        pieces: list[list[Array]] = []
        while count:
            number, place = divmod(position, len(self._rows))
            starts = self._plan(number).first_row
            pool = int(np.searchsorted(starts, place, side="right")) - 1
            pieces.append(self._filled(number, pool).draw(place - int(starts[pool]), count))
            position += len(pieces[-1][0])
            count -= len(pieces[-1][0])
        return joined_parts(pieces)

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _planned(self, number: int) -> _Pass:
        size, block = len(self._rows), self._size.block
        blocks = shuffled(-(-size // block), self._seed, number)
        ends = np.cumsum(np.minimum(block, size - blocks * block))
        each = self._size.rows // block
        first_block = np.append(np.arange(0, len(blocks), each), len(blocks))
        return _Pass(blocks, first_block, np.concatenate([[0], ends])[first_block])

    def _filled(self, number: int, pool: int) -> Pool:
        """Return a pool once it is filled, and have the next one filled."""
        last = pool + 2 == len(self._plan(number).first_row)
        following = (number + 1, 0) if last else (number, pool + 1)
        wanted = ((number, pool), following)
        # What is drawn from no more makes room before the next one is begun.
        self._pools = {key: value for key, value in self._pools.items() if key in wanted}
        if wanted[0] not in self._pools:
            self._pools[wanted[0]] = self._thread.submit(self._fill, *wanted[0])
        filled = self._pools[wanted[0]].result()
        if following not in self._pools:
            self._pools[following] = self._thread.submit(self._fill, *following)
        return filled

    def _fill(self, number: int, pool: int) -> Pool:
        plan, block = self._plan(number), self._size.block
        rows = int(plan.first_row[pool + 1] - plan.first_row[pool])
        values: list[Array] = []
        filled = 0
        for one in plan.blocks[plan.first_block[pool] : plan.first_block[pool + 1]].tolist():
            chosen = self._rows[one * block : (one + 1) * block]
            read = [gather(chosen) for gather in self._parts]
            if not values:
                values = [np.empty((rows, *part.shape[1:]), part.dtype) for part in read]
            for whole, part in zip(values, read, strict=True):
                whole[filled : filled + len(part)] = part
            filled += len(chosen)
        return Pool(values, shuffled(rows, self._seed, number, pool + 1))


def joined_parts(pieces: Sequence[Sequence[Array]]) -> list[Array]:
    """Return pieces of rows one after the other, each part by itself."""
    if len(pieces) == 1:
        return list(pieces[0])
    return [np.concatenate(part) for part in zip(*pieces, strict=True)]


def shuffled(count: int, *seeds: int) -> Rows:
    """Return a permutation of 0 … count − 1 that depends on the seeds alone."""
    generator = np.random.Generator(np.random.PCG64(list(seeds)))
    return np.asarray(generator.permutation(count), dtype=np.int64)
