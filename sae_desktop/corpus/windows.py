"""Documents cut into the windows of tokens that a model reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Document, read_documents
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
    """Tokens in order: the prefix, then those of its spans, then the suffix."""

    ids: list[int]
    spans: tuple[Span, ...]
    """One, but for packed windows."""


@dataclass(frozen=True)
class Place:
    """Where to read on: the next token to come."""

    ordinal: int = 0
    offset: int = 0


def windows(
    plan: WindowPlan,
    encode: Encoder,
    start: Place | None = None,
    documents: Iterable[Document] | None = None,
) -> Iterator[Window]:
    """Yield the windows of a corpus from `start` on; of `documents`, where these are given.

    Documents before `start` are read but not tokenised, so going on is cheap.
    Raises UserError for an empty corpus and as `read_documents` does.
    """
    if documents is None:
        documents = read_documents(plan.settings)
    encoded = _encoded(plan, encode, start or Place(), documents)
    return _packed(plan, encoded) if plan.settings.packing == "packed" else _each(plan, encoded)


_EncodedFrom = Iterator[tuple[Document, Encoded, int]]


def _each(plan: WindowPlan, documents: _EncodedFrom) -> Iterator[Window]:
    for document, encoded, first in documents:
        for offset in range(first, len(encoded.ids), plan.room):
            piece = encoded.ids[offset : offset + plan.room]
            window = _window(plan, piece, [Span(document, offset, len(piece), encoded.roles)])
            if len(window.ids) >= plan.minimum:
                yield window


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


def _encoded(
    plan: WindowPlan, encode: Encoder, start: Place, documents: Iterable[Document]
) -> _EncodedFrom:
    """Yield documents from `start` on, their tokens, and which of these comes first."""
    found = False
    for document in documents:
        found = True
        if document.ordinal >= start.ordinal:
            first = start.offset if document.ordinal == start.ordinal else 0
            yield document, encode(document), first
    if not found:
        raise empty_corpus(plan.settings.corpus)


def _window(plan: WindowPlan, ids: list[int], spans: list[Span]) -> Window:
    return Window([*plan.prefix, *ids, *plan.suffix], tuple(spans))


def empty_corpus(name: str) -> UserError:
    """Return the error for a corpus without a text."""
    return UserError(
        f"The corpus “{name}” is empty: there is no text in it.",
        next_step="Choose a corpus with texts in it, or “builtin”.",
    )
