"""Documents cut into the windows of tokens that a model reads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, Document
from sae_desktop.corpus.records import BadRowError, Report
from sae_desktop.errors import UserError


class RoleSpan(NamedTuple):
    """Tokens of a chat that one role speaks, counted within the document."""

    role: str
    first: int
    length: int


@dataclass(frozen=True)
class Encoded:
    """A document as tokens, no special ones added."""

    ids: list[int]
    roles: tuple[RoleSpan, ...] = ()
    """Of a chat; empty for a text."""


Encoder = Callable[[Document], Encoded]


@dataclass(frozen=True)
class WindowPlan:
    """How a corpus is cut."""

    settings: CorpusSettings
    prefix: tuple[int, ...] = ()
    """Special tokens put before each window."""
    suffix: tuple[int, ...] = ()
    """Special tokens put after each window, as encoders have them."""
    separator: tuple[int, ...] = ()
    """Put after each document of packed windows, as part of it."""
    minimum: int = 1
    """Windows with fewer tokens, special ones included, are left out."""

    @property
    def room(self) -> int:
        """Tokens of documents in a full window."""
        return self.settings.context_size - len(self.prefix) - len(self.suffix)


@dataclass(frozen=True)
class Span:
    """A run of tokens of one document in a window."""

    document: Document
    offset: int
    """Tokens of the document before it."""
    length: int
    roles: tuple[RoleSpan, ...] = field(default=(), compare=False)
    """Of the whole document."""


@dataclass(frozen=True)
class Window:
    """Tokens in order: the prefix, repeated ones, those of its spans, then the suffix."""

    ids: list[int]
    spans: tuple[Span, ...]
    """One, but for packed windows."""
    repeated: int = 0
    """Tokens before those of its span that the window before it has too."""


@dataclass(frozen=True)
class ReadingPoint:
    """Where to read on: the next token to come.

    Of a shuffled corpus this is the token after the last one that was taken, where it is `after`
    some, else the first token of a window.
    """

    ordinal: int = -1
    """−1: the beginning of the corpus."""
    offset: int = 0
    after: bool = False
    taken: tuple[int, ...] = ()
    """The last tokens taken, to tell a corpus that has changed since."""


BEGINNING = ReadingPoint()


def windows(
    plan: WindowPlan,
    encode: Encoder,
    start: ReadingPoint | None = None,
    documents: Iterable[Document] | None = None,
    report: Report | None = None,
) -> Iterator[Window]:
    """Yield the windows of a corpus from `start` on; of `documents`, where these are given.

    Documents before `start` are read but not tokenised, so going on is cheap. Those that cannot
    be tokenised, chats that a template refuses, are left out and counted in `report`.
    Raises UserError for an empty corpus and as `read_documents` does.
    """
    if documents is None:
        corpus = Corpus(plan.settings)
        documents, report = corpus, report or corpus.report
    reading = _Reading(plan, encode, report or Report())
    if plan.settings.order == "shuffled":
        return reading.drawn(documents, start or BEGINNING)
    encoded = reading.encoded(documents, start or BEGINNING)
    return _packed(plan, encoded) if plan.settings.packing == "packed" else _each(plan, encoded)


_EncodedFrom = Iterable[tuple[Document, Encoded, int]]

BLOCK_CHARACTERS = 1 << 21
BLOCK_DOCUMENTS = 4096
"""Windows of a shuffled corpus are drawn from blocks of this many characters and documents."""


class _Reading:
    """Documents on their way to windows."""

    def __init__(self, plan: WindowPlan, encode: Encoder, report: Report) -> None:
        self._plan, self._encode, self._report = plan, encode, report

    def encoded(self, documents: Iterable[Document], start: ReadingPoint) -> _EncodedFrom:
        """Yield documents from `start` on, their tokens, and which of these comes first."""
        found = given = False
        for document in documents:
            found = True
            if document.ordinal >= start.ordinal:
                first = start.offset if document.ordinal == start.ordinal else 0
                tokens = self._tokens(document)
                if tokens is not None:
                    given = True
                    yield document, tokens, first
        self._end(found, given or start != BEGINNING)

    def drawn(self, documents: Iterable[Document], start: ReadingPoint) -> Iterator[Window]:
        """Yield the windows of block after block, those of each mixed; see `_mixed`."""
        found, given = False, start != BEGINNING
        for block in _blocks(documents):
            found = True
            if block[-1].ordinal < start.ordinal:
                continue
            encoded = ((document, self._tokens(document)) for document in block)
            pieces = [(document, tokens, 0) for document, tokens in encoded if tokens is not None]
            given = given or bool(pieces)
            ordered = _mixed(self._plan, pieces)
            if start != BEGINNING:
                ordered, start = _from(self._plan, ordered, start), BEGINNING
            yield from ordered
        self._end(found, given)

    def _tokens(self, document: Document) -> Encoded | None:
        try:
            return self._encode(document)
        except BadRowError as bad:
            self._report.leave_out(bad, self._plan.settings.skip_limit)
            return None

    def _end(self, found: bool, given: bool) -> None:
        first = self._report.first_bad
        if not given and first is not None:
            raise first
        if not found:
            raise empty_corpus(self._plan.settings.corpus)


def _blocks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    block: list[Document] = []
    characters = 0
    for document in documents:
        block.append(document)
        characters += len(document.text)
        if characters >= BLOCK_CHARACTERS or len(block) >= BLOCK_DOCUMENTS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def _mixed(plan: WindowPlan, documents: Sequence[tuple[Document, Encoded, int]]) -> list[Window]:
    """Return the windows of some documents in an order that the seed and these decide.

    Those of each document are spread evenly over it, so that any beginning has as large a part of
    every document.
    """
    if plan.settings.packing == "packed":
        found = list(_packed(plan, documents))
        chance = _chance(plan, documents[0][0].ordinal if documents else 0)
        chance.shuffle(found)
        return found
    placed: list[tuple[float, int, Window]] = []
    for document, encoded, first in documents:
        own = list(_each(plan, [(document, encoded, first)]))
        chance = _chance(plan, document.ordinal)
        order = list(range(len(own)))
        chance.shuffle(order)
        begin = chance.random()
        for number, place in enumerate(order):
            placed.append(((number + begin) / len(own), len(placed), own[place]))
    return [window for _, _, window in sorted(placed, key=lambda one: one[:2])]


def _chance(plan: WindowPlan, ordinal: int) -> random.Random:
    return random.Random((plan.settings.seed << 48) ^ ordinal)


def _from(plan: WindowPlan, ordered: list[Window], start: ReadingPoint) -> list[Window]:
    """Return the windows of a block from `start` on.

    A place within a window is one where it was cut: its rest comes first.
    """
    held = start.offset - 1 if start.after else start.offset
    for number, window in enumerate(ordered):
        at = len(plan.prefix) + window.repeated
        for place, span in enumerate(window.spans):
            there = span.document.ordinal == start.ordinal
            if there and span.offset <= held < span.offset + span.length:
                if place == 0 and start.offset == span.offset:
                    return ordered[number:]
                cut = at + start.offset - span.offset
                if tuple(window.ids[cut - len(start.taken) : cut]) != start.taken:
                    break
                rest = _rest(plan, window, cut)
                return ([] if rest is None else [rest]) + ordered[number + 1 :]
            at += span.length
    raise UserError(
        f"The corpus “{plan.settings.corpus}” has changed since this was started.",
        next_step="Restore its files as they were, or start again under another name.",
    )


def _rest(plan: WindowPlan, window: Window, cut: int) -> Window | None:
    """Return a window without the tokens before place `cut`; None where too few are left."""
    at = len(plan.prefix) + window.repeated
    spans = []
    for span in window.spans:
        gone = min(max(cut - at, 0), span.length)
        at += span.length
        if span.length > gone:
            spans.append(replace(span, offset=span.offset + gone, length=span.length - gone))
    begin = max(cut - plan.settings.overlap, len(plan.prefix))
    rest = _window(plan, window.ids[begin : len(window.ids) - len(plan.suffix)], spans)
    if not spans or len(rest.ids) < plan.minimum:
        return None
    return replace(rest, repeated=cut - begin) if cut > begin else rest


def _each(plan: WindowPlan, documents: _EncodedFrom) -> Iterator[Window]:
    overlap = plan.settings.overlap
    for document, encoded, first in documents:
        offset, repeated = first, min(overlap, first)
        while offset < len(encoded.ids):
            begin = offset - repeated
            end = min(begin + plan.room, len(encoded.ids))
            ids = [*plan.prefix, *encoded.ids[begin:end], *plan.suffix]
            if len(ids) >= plan.minimum:
                span = Span(document, offset, end - offset, encoded.roles)
                yield Window(ids, (span,), repeated)
            offset, repeated = end, overlap


def _packed(plan: WindowPlan, documents: _EncodedFrom) -> Iterator[Window]:
    ids: list[int] = []
    spans: list[Span] = []
    for document, encoded, first in documents:
        whole = [*encoded.ids, *plan.separator] if encoded.ids else []
        while first < len(whole):
            piece = whole[first : first + plan.room - len(ids)]
            spans.append(Span(document, first, len(piece), encoded.roles))
            ids += piece
            first += len(piece)
            if len(ids) == plan.room:
                yield _window(plan, ids, spans)
                ids, spans = [], []
    last = _window(plan, ids, spans)
    if ids and len(last.ids) >= plan.minimum:
        yield last


def _window(plan: WindowPlan, ids: list[int], spans: Sequence[Span]) -> Window:
    return Window([*plan.prefix, *ids, *plan.suffix], tuple(spans))


class EmptyCorpusError(UserError):
    """There is no text."""


def empty_corpus(name: str) -> EmptyCorpusError:
    """Return the error for a corpus without a text."""
    return EmptyCorpusError(
        f"The corpus “{name}” is empty: there is no text in it.",
        next_step="Choose a corpus with texts in it, or “builtin”.",
    )
