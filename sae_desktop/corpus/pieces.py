"""Long texts cut into documents of bounded length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.records import Record

PIECE_CHARACTERS = 200_000
"""Longer texts become several documents, so that memory is bounded, and a token's document is
found again without tokenising a whole library."""


SHUFFLED_PIECE_CHARACTERS = 1 << 15
"""Of a shuffled corpus: long texts are mixed with the others piece by piece."""
_PART_NUMBER = re.compile(r" ?\(part \d+\)$")


def piece_characters(settings: CorpusSettings) -> int:
    """Return how long a document is at most."""
    return SHUFFLED_PIECE_CHARACTERS if settings.order == "shuffled" else PIECE_CHARACTERS


def whole_title(title: str) -> str:
    """Return the title of the text of which a document may be a part."""
    return _PART_NUMBER.sub("", title)


def parts(whole: Record, blocks: Iterable[str], most: int) -> Iterator[Record]:
    """Yield a text that comes in blocks as one record like `whole`, or as several.

    The titles of several say which part each is.
    """
    pieces = cut(blocks, most)
    first, second = next(pieces, ""), next(pieces, None)
    if second is None:
        if first:
            yield replace(whole, text=first)
        return
    for number, piece in enumerate(_joined(first, second, pieces), start=1):
        yield replace(whole, text=piece, title=f"{whole.title} (part {number})".lstrip())


def _joined(first: str, second: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield second
    yield from rest


def cut(blocks: Iterable[str], limit: int) -> Iterator[str]:
    """Yield a text in pieces of at most `limit` characters.

    They end at the last blank line, else the last line, else anywhere.
    """
    rest = ""
    for block in blocks:
        rest += block
        start = 0
        while len(rest) - start > limit:
            end = start + limit
            for mark in ("\n\n", "\n"):
                found = rest.rfind(mark, start + limit // 2, end)
                if found >= 0:
                    end = found + len(mark)
                    break
            yield rest[start:end]
            start = end
        rest = rest[start:]
    if rest:
        yield rest
