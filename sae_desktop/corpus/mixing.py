"""The order of a shuffled corpus: documents mixed over all files and over the rows of each.

A corpus is cut into units, each of which can be read by itself: a file, or a stretch of the rows
of a table. They are opened in the seed's order, many at once, and records are taken from the open
ones in proportion to their size, so that all of them end at about the same time. From each a
stretch is read ahead, of which any record may be the next. What comes depends on the corpus and
the seed alone; memory is bounded, however large the corpus.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sae_desktop.corpus.records import Record
from sae_desktop.errors import UserError

OPEN_UNITS = 32
AHEAD_CHARACTERS = 16 << 20
"""Read ahead in all open units together. A file that can only be read from its beginning on is
mixed over a stretch of this many characters, where it is alone."""
_RECORD = 500
"""What a record takes in memory beside its text, in characters."""

Labelled = tuple[Record, str]
"""A record, and what is its source where it does not say so."""


@dataclass(frozen=True)
class Unit:
    """A part of a corpus."""

    weight: float
    """Its size, in the same measure for all of a corpus."""
    read: Callable[[], Iterator[Labelled]]
    whole: str = ""
    """Name of the file that is read from its beginning to its end."""


@dataclass(order=True)
class _Open:
    next: float
    """Where in the course of all units its next record is due."""
    number: int
    weight: float = field(compare=False)
    records: Iterator[Labelled] = field(compare=False)
    ahead: list[Labelled] = field(compare=False, default_factory=list)
    size: int = field(compare=False, default=0)
    failure: UserError | None = field(compare=False, default=None)
    """Why no more can be read ahead: raised where the next record is due, which no longer is."""

    def fill(self, most: int) -> None:
        while self.size < most:
            try:
                found = next(self.records, None)
            except UserError as error:
                self.failure = error
                return
            if found is None:
                return
            self.ahead.append(found)
            self.size += len(found[0].text) + _RECORD

    def take(self, chance: random.Random) -> Labelled:
        place = int(chance.random() * len(self.ahead))
        self.ahead[place], self.ahead[-1] = self.ahead[-1], self.ahead[place]
        found = self.ahead.pop()
        self.size -= len(found[0].text) + _RECORD
        return found


def read_ahead(units: Sequence[Unit], most_open: int = OPEN_UNITS) -> int:
    """Return how many characters are read ahead in each unit: over so many it is mixed."""
    return AHEAD_CHARACTERS // max(1, min(most_open, len(units)))


def mixed(units: Sequence[Unit], seed: int, most_open: int = OPEN_UNITS) -> Iterator[Labelled]:
    """Yield the records of all units, mixed. The first come from as many units as are open.

    What cannot be read on raises its error only where its next record is due: what comes before
    is the same as without the error.
    """
    chance = random.Random(seed)
    waiting = list(units)
    chance.shuffle(waiting)
    waiting.reverse()
    most_ahead = read_ahead(units, most_open)
    opened: list[_Open] = []
    now = 0.0
    first, number = True, 0
    while waiting or opened:
        while waiting and len(opened) < most_open:
            unit = waiting.pop()
            number += 1
            weight = max(unit.weight, 1.0)
            # Units opened later are entered somewhere in their first record's stretch.
            due = 0.0 if first else now + chance.random() * _RECORD / weight
            one = _Open(due, number, weight, unit.read())
            one.fill(most_ahead)
            if one.ahead or one.failure is not None:
                heapq.heappush(opened, one)
        first = False
        if not opened:
            continue
        one = heapq.heappop(opened)
        now = one.next
        if one.failure is not None:
            raise one.failure
        found = one.take(chance)
        yield found
        one.next += max(len(found[0].text), 1) / one.weight
        one.fill(most_ahead)
        if one.ahead or one.failure is not None:
            heapq.heappush(opened, one)
