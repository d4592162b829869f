"""Documents cut into the windows of tokens that a model reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sae_desktop.corpus.documents import Document, read_documents
from sae_desktop.errors import UserError


@dataclass(frozen=True)
class WindowPlan:
    """How a corpus is cut."""

    corpus: str
    seed: int
    context_size: int
    """Tokens of a window at most, the beginning-of-sequence token included."""
    bos_id: int | None
    """Put before each window; None: nothing is."""
    minimum: int = 1
    """Windows with fewer tokens, the beginning-of-sequence token included, are left out."""

    @property
    def room(self) -> int:
        """Tokens of the document in a full window."""
        return self.context_size - (self.bos_id is not None)


@dataclass(frozen=True)
class Window:
    """Tokens of one document, in order."""

    document: Document
    offset: int
    """Tokens of the document before this window."""
    ids: list[int]
    """The beginning-of-sequence token, where there is one, then the document's tokens."""


@dataclass(frozen=True)
class Place:
    """Where to read on: the next token to come."""

    ordinal: int = 0
    offset: int = 0


def windows(
    plan: WindowPlan, encode: Callable[[str], list[int]], start: Place | None = None
) -> Iterator[Window]:
    """Yield the windows of a corpus from `start` on, each of one document.

    Documents before `start` are read but not tokenised, so going on is cheap.
    Raises UserError for an empty corpus and as `read_documents` does.
    """
    place = start or Place()
    found = False
    for document in read_documents(plan.corpus, plan.seed):
        found = True
        if document.ordinal < place.ordinal:
            continue
        ids = encode(document.text)
        first = place.offset if document.ordinal == place.ordinal else 0
        for offset in range(first, len(ids), plan.room):
            piece = ids[offset : offset + plan.room]
            if plan.bos_id is not None:
                piece = [plan.bos_id, *piece]
            if len(piece) >= plan.minimum:
                yield Window(document, offset, piece)
    if not found:
        raise empty_corpus(plan.corpus)


def empty_corpus(name: str) -> UserError:
    """Return the error for a corpus without a text."""
    return UserError(
        f"The corpus “{name}” is empty: there is no text in it.",
        next_step="Choose a corpus with texts in it, or “builtin”.",
    )
