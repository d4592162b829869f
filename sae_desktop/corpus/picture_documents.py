"""The pictures of a corpus and the words beside them, in the order in which a job reads them.

Free of torch; nothing is decoded here.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import hub_name
from sae_desktop.corpus.duplicates import DuplicateFilter
from sae_desktop.corpus.mixed import FoundPicture, Item, MixedDocument, Refused
from sae_desktop.corpus.picture_sources import read_pictures
from sae_desktop.corpus.records import BadRowError, Report
from sae_desktop.errors import UserError
from sae_desktop.interruption import check_interrupted
from sae_desktop.pictures.reading import picture_bytes

BLOCK_BYTES = 1 << 28
BLOCK_DOCUMENTS = 200_000
"""A shuffled corpus is mixed over so much at once; pictures that lie in files of their own take no
memory before they are read."""
STREAMED_BYTES = 1 << 25
"""The same for what is fetched before the first document of it is read."""
MOST_AHEAD = 64
"""Documents of a dataset on the hub that are looked at before a harvest."""
NAMED = 5
"""Refused pictures that are named; the others are counted."""


@dataclass(frozen=True)
class HeldPicture:
    """A picture's file, as it was found."""

    name: str
    data: bytes
    digest: str
    """SHA-256."""


@dataclass(frozen=True)
class PictureDocument:
    """Words and pictures in their order, with their place in the corpus."""

    ordinal: int
    name: str
    parts: tuple[str | HeldPicture, ...]


@dataclass
class PictureReport(Report):
    """What is learnt of a corpus of pictures while it is read."""

    refused: list[tuple[str, str]] = field(default_factory=list)
    """The first that cannot be read: its name, and why."""
    cut: int = 0
    """Documents whose end was left out, since they have more tokens than a window."""
    first_cut: str = ""
    waiting: int = 0
    """Tokens of the document that no longer fits into what was asked for."""

    def refuse(self, name: str, why: str, limit: float, next_step: str = "") -> None:
        """Count what cannot be read, as `leave_out` does."""
        if len(self.refused) < NAMED:
            self.refused.append((name, why))
        why = why if why[-1:] in ".!?" else f"{why}."
        what = why if name in why else f"“{name}”: {why}"
        self.leave_out(BadRowError(what, next_step=next_step or "Mend or remove it."), limit)

    def notes(self) -> list[str]:
        """Return sentences on what was left out."""
        found = []
        if self.duplicates:
            found.append(
                f"{_were(self.duplicates)} left out: the same pictures and words had come before."
            )
        if self.bad:
            whys = [why.rstrip(".") if name in why else f"“{name}”: {why.rstrip('.')}"
                    for name, why in self.refused]  # fmt: skip
            more = self.bad - len(self.refused)
            whys += [f"and {more:,} more"] if more > 0 else []
            found.append(
                f"{_were(self.bad)} left out of {self.rows:,}, since they cannot be read: "
                f"{'; '.join(whys)}."
            )
        if self.cut:
            found.append(
                f"The end of {_counted(self.cut)} was left out, since a window does not take them "
                f"whole; no picture was cut. The first is “{self.first_cut}”."
            )
        if self.waiting:
            found.append(
                f"The next document has {self.waiting:,} tokens, more than are left of those asked "
                "for. A picture is never cut."
            )
        return found


def _counted(number: int) -> str:
    return "one document" if number == 1 else f"{number:,} documents"


def _were(number: int) -> str:
    return "One document was" if number == 1 else f"{number:,} documents were"


class PictureCorpus:
    """The documents of a source of pictures, in an order that its settings alone decide."""

    def __init__(
        self,
        name: str,
        settings: CorpusSettings,
        report: PictureReport,
        *,
        alone: bool = False,
    ) -> None:
        """Take pictures of a canonical name.

        alone: every picture is a document by itself, and words are left out.
        """
        self._name, self._settings, self._report = name, settings, report
        self._alone = alone

    def found(self) -> Iterator[tuple[int, Item]]:
        """Yield what there is with its place in the corpus, no picture read from a file yet.

        Raises UserError for a source that is missing or damaged.
        """
        items: Iterable[Item] = read_pictures(self._name, self._settings)
        if self._alone:
            items = _one_by_one(items)
        if self._settings.order == "shuffled":
            items = _mixed(
                items, self._settings.seed, STREAMED_BYTES if self._remote else BLOCK_BYTES
            )
        return enumerate(items)

    def first(self) -> Iterator[Item]:
        """Yield the first documents, to judge the others by; of the hub few, each is fetched."""
        if not self._remote:
            return (item for _, item in self.found())
        items = read_pictures(self._name, self._settings)
        return islice(_one_by_one(items) if self._alone else items, MOST_AHEAD)

    @property
    def _remote(self) -> bool:
        return hub_name(self._name) is not None

    def documents(self, start: int = 0) -> Iterator[PictureDocument]:
        """Yield documents from the place `start` on; those before are only held against others.

        What cannot be read is counted in the report. Raises UserError where that is too much.
        """
        seen, limit = DuplicateFilter(), self._settings.skip_limit
        for ordinal, item in self.found():
            check_interrupted()
            if ordinal < start and not self._settings.deduplicate:
                continue
            counted = ordinal >= start
            self._report.rows += counted
            if isinstance(item, Refused):
                if counted:
                    self._report.refuse(item.name, item.why, limit)
                continue
            try:
                parts = tuple(_held(part) for part in item.parts)
            except UserError as error:
                if counted:
                    self._report.refuse(item.name, error.what, limit)
                continue
            if self._settings.deduplicate and seen.seen(_content(parts)):
                self._report.duplicates += counted
            elif counted:
                yield PictureDocument(ordinal, item.name, parts)


def _one_by_one(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Refused):
            yield item
            continue
        for part in item.parts:
            if isinstance(part, FoundPicture):
                yield MixedDocument(part.name, (part,))


def _held(part: str | FoundPicture) -> str | HeldPicture:
    if isinstance(part, str):
        return part
    data = picture_bytes(part.held) if isinstance(part.held, Path) else part.held
    return HeldPicture(part.name, data, hashlib.sha256(data).hexdigest())


def _content(parts: Iterable[str | HeldPicture]) -> Iterator[str]:
    for part in parts:
        yield from ("words", part) if isinstance(part, str) else ("picture", part.digest)


def _mixed(items: Iterable[Item], seed: int, most_bytes: int) -> Iterator[Item]:
    """Yield items in an order that the seed decides, mixed over large blocks of them."""
    chance = random.Random(seed)
    block: list[Item] = []
    size = 0
    for item in items:
        check_interrupted()
        block.append(item)
        size += _bytes(item)
        if size >= most_bytes or len(block) >= BLOCK_DOCUMENTS:
            chance.shuffle(block)
            yield from block
            block, size = [], 0
    chance.shuffle(block)
    yield from block


def _bytes(item: Item) -> int:
    if not isinstance(item, MixedDocument):
        return 0
    pictures = (part.held for part in item.parts if isinstance(part, FoundPicture))
    return sum(len(held) for held in pictures if isinstance(held, bytes))
