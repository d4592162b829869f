"""The search in the manual: headings and what stands below them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sae_desktop.words.manual.page import Section

LEAST = 3
"""Letters that are searched for in texts; fewer are only looked for in headings."""
_ROOM = 90
"""Characters of a snippet."""
_WHOLE, _BEGINS, _HAS, _WORDS, _TOLD = range(5)


class Hit(NamedTuple):
    """A section that answers, and the piece of its text that does."""

    section: Section
    snippet: str
    found: tuple[int, int]
    """Where in the snippet what was asked for stands; (0, 0): in the heading alone."""


def search(query: str, sections: Iterable[Section], most: int = 50) -> list[Hit]:
    """Return the sections that answer a query, those that do so by their heading first."""
    query = " ".join(query.split()).casefold()
    if not query:
        return []
    ranked = [(rank, one) for one in sections if (rank := _rank(query, one)) is not None]
    ranked.sort(key=lambda pair: (pair[0], pair[1].level if pair[0] < _TOLD else 0))
    return [_hit(query, section) for _, section in ranked[:most]]


def _rank(query: str, section: Section) -> int | None:
    title = section.title.casefold()
    if title == query:
        return _WHOLE
    if title.startswith(query):
        return _BEGINS
    if query in title:
        return _HAS
    words = query.split()
    if all(word in title for word in words):
        return _WORDS
    if len(query) < LEAST:
        return None
    told = f"{title}\n{section.text.casefold()}"
    return _TOLD if all(word in told for word in words) else None


def _hit(query: str, section: Section) -> Hit:
    text = section.text.replace("\n", " ")
    folded = text.casefold()
    if len(folded) != len(text):  # a letter that is two in lower case: places would be off
        folded = text.lower()
    wanted = query if query in folded else next((w for w in query.split() if w in folded), "")
    at = folded.find(wanted) if wanted and len(folded) == len(text) else -1
    if at < 0:
        return Hit(section, _cut(text, 0)[0], (0, 0))
    snippet, first = _cut(text, at)
    start = at - first
    return Hit(section, snippet, (start, min(start + len(wanted), len(snippet))))


def _cut(text: str, at: int) -> tuple[str, int]:
    """Return a piece of a text around a place, and what to take off a place for one in it."""
    first = max(at - _ROOM // 6, 0)
    if first:
        space = text.rfind(" ", 0, first)
        first = space + 1
    piece = text[first : first + _ROOM]
    head = "…" if first else ""
    tail = "…" if first + _ROOM < len(text) else ""
    return f"{head}{piece}{tail}", first - len(head)
