"""The feed of a streamed training: pools filled by a harvest, a thread ahead of the step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import msgspec
import numpy as np

from sae_desktop.activations.harvest_groups import window_groups
from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.activations.prefetch import prefetch
from sae_desktop.activations.store_writer import StoreBatch
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.windows import ReadingPoint
from sae_desktop.errors import UserError
from sae_desktop.training.checkpoint import StreamPosition
from sae_desktop.training.rows.data import Array
from sae_desktop.training.rows.harvest_reader import HarvestReader, usable_rows, values_of
from sae_desktop.training.rows.pool import Pool, joined_parts, shuffled

EVERY_ROW = 2**62
# Pools whose beginnings are remembered: those of the batches made ahead and of the step's.
_PLACES = 8


class StreamFeed:
    """Pools that a harvest fills, one being drawn from while the next one is filled."""

    def __init__(
        self,
        harvest: HarvestPlan,
        sites: list[str],
        limits: list[float],
        *,
        start: StreamPosition,
        first: StreamPosition,
        seed: int,
        pool_rows: int,
        total: int,
        documents: Callable[[], Iterable[Document]] | None = None,
    ) -> None:
        """Begin with the pool at `start`; a new pass over the corpus begins at `first`.

        Of `documents`, asked for again for each pass, where these are given.
        """
        self._documents = documents
        self._harvest, self._sites, self._limits = harvest, sites, limits
        self._start, self._first = start, first
        self._seed, self._size, self._total = seed, pool_rows, total
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="harvest")
        self._stop = threading.Event()
        self._pools: dict[int, Future[Pool]] = {}
        self._places: dict[int, StreamPosition] = {start.pool: start}
        self._rows = self._harvested()
        self._left: tuple[list[Array], StreamPosition] | None = None

    def take(self, position: int, count: int) -> list[Array]:
        pieces: list[list[Array]] = []
        while count:
            number, place = divmod(position, self._size)
            pieces.append(self._filled(number).draw(place, count))
            position += len(pieces[-1][0])
            count -= len(pieces[-1][0])
        return joined_parts(pieces)

    def close(self) -> None:
        self._stop.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._rows.close()

    def place(self, pool: int) -> StreamPosition:
        """Return where a pool begins; where that is not known yet, the last one before it."""
        return self._places[max(number for number in list(self._places) if number <= pool)]

    def _filled(self, number: int) -> Pool:
        last = (self._total - 1) // self._size
        for gone in [n for n in self._pools if n < number]:
            del self._pools[gone]
        # Pools come one after the other, each where the last one ended.
        begun = max(self._pools, default=self._start.pool - 1)
        for one in range(begun + 1, min(number + 1, last) + 1):
            self._pools[one] = self._thread.submit(self._fill, one)
        pool = self._pools[number].result()
        for old in sorted(self._places)[:-_PLACES]:
            del self._places[old]
        return pool

    def _fill(self, number: int) -> Pool:
        """Fill a pool with what the last one left over, then with what is harvested."""
        wanted = min(self._size, self._total - number * self._size)
        values: list[Array] = []
        filled, begins = 0, None
        while filled < wanted:
            count, place = self._put_next(values, filled, wanted)
            begins = begins or msgspec.structs.replace(place, pool=number)
            filled += count
        assert begins is not None
        self._places[number] = begins
        return Pool(values, shuffled(wanted, self._seed, number))

    def _put_next(
        self, values: list[Array], filled: int, wanted: int
    ) -> tuple[int, StreamPosition]:
        """Put the next rows into a pool; return how many, and where they begin.

        Nothing else holds on to what was harvested: rows of many sites are large.
        """
        rows, place = self._left or next(self._rows)
        if not values:
            values += [np.empty((wanted, *part.shape[1:]), part.dtype) for part in rows]
        count = min(len(rows[0]), wanted - filled)
        for whole, part in zip(values, rows, strict=True):
            whole[filled : filled + count] = part[:count]
        rest = [part[count:] for part in rows]
        after = msgspec.structs.replace(place, skip=place.skip + count)
        self._left = (rest, after) if len(rest[0]) else None
        return count, place

    def _harvested(self) -> Generator[tuple[list[Array], StreamPosition], None, None]:
        """Yield usable rows, a part each, with the place of the windows they come from."""
        place, skip = self._start, self._start.skip
        reader = HarvestReader(self._harvest)
        while True:
            begin, found = ReadingPoint(place.ordinal, place.offset), 0
            documents = None if self._documents is None else self._documents()
            groups = window_groups(self._harvest, begin, EVERY_ROW, documents)
            pieces = prefetch(groups, while_waiting=self._refuse_when_ended)
            with closing(pieces):
                for piece in pieces:
                    self._refuse_when_ended()
                    first = piece.windows[0].spans[0]
                    place = msgspec.structs.replace(
                        place, ordinal=first.document.ordinal, offset=first.offset, skip=skip
                    )
                    rows = self._usable(reader.read(piece, self._refuse_when_ended), skip)
                    skip = 0
                    found += len(rows[0])
                    if len(rows[0]):
                        yield rows, place
                    del rows
                    windows = place.windows + len(piece.windows)
                    place = msgspec.structs.replace(place, windows=windows)
            if not found and begin == ReadingPoint(self._first.ordinal, self._first.offset):
                raise UserError(
                    "The harvest gives no rows to train on: all of them are massive.",
                    next_step="Include the massive rows, or choose another site.",
                )
            place = msgspec.structs.replace(
                self._first, passes=place.passes + 1, windows=place.windows
            )

    def _usable(self, batch: StoreBatch, skip: int) -> list[Array]:
        """Return a batch's rows that are not massive, a part each, without the first of them."""
        values = [values_of(batch, site) for site in self._sites]
        usable = usable_rows(values, self._limits)[skip:]
        return [part[usable] for part in values]

    def _refuse_when_ended(self) -> None:
        if self._stop.is_set():
            raise UserError("The harvest was stopped.")
