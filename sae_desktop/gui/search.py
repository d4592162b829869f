"""Ranking what the command palette finds. Free of Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_EXACT, _PREFIX, _WORDS, _SUBSTRING, _SUBSEQUENCE = 100.0, 80.0, 60.0, 40.0, 15.0


@dataclass(frozen=True)
class Entry:
    """One line of the palette."""

    kind: str
    """What it is, in a word: Action, Feature, Index, Dictionary, Setting."""
    title: str
    key: str
    """What identifies it to whoever carries it out."""
    detail: str = ""
    shortcut: str = ""
    enabled: bool = True


def score(query: str, title: str) -> float:
    """Return how well `title` answers `query`; 0: not at all. Case and order of words are free."""
    query, title = query.casefold().strip(), title.casefold()
    if not query:
        return 1.0
    if query == title:
        return _EXACT
    shortness = 1.0 / (1.0 + len(title))
    if title.startswith(query):
        return _PREFIX + shortness
    words = title.replace("“", " ").replace(".", " ").replace("_", " ").split()
    if all(any(word.startswith(part) for word in words) for part in query.split()):
        return _WORDS + shortness
    if query in title:
        return _SUBSTRING + shortness
    letters = iter(title)
    if len(query) > 1 and all(letter in letters for letter in query if letter != " "):
        return _SUBSEQUENCE + shortness
    return 0.0


def rank(query: str, entries: Iterable[Entry], limit: int = 40) -> list[Entry]:
    """Return the entries that answer `query`, best first; equals keep their order."""
    scored = [(max(score(query, e.title), 0.5 * score(query, e.kind)), e) for e in entries]
    best = max((s for s, _ in scored), default=0.0)
    # Letters that merely occur in order count only where nothing fits better.
    least = _SUBSTRING / 2 if best >= _SUBSTRING else 0.0
    found = [(s, e) for s, e in scored if s > least]
    found.sort(key=lambda pair: (not pair[1].enabled, -pair[0]))
    return [entry for _, entry in found[:limit]]


def feature_number(query: str) -> int | None:
    """Return the feature that “123”, “#123”, “f123” or “feature 123” names, or None."""
    text = query.casefold().strip().removeprefix("feature").strip().removeprefix("f").lstrip("#")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
