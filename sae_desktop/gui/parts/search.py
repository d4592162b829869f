"""Ranking what the command palette finds. Free of Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

_MOST_LETTERS = 4
"""Of a query whose letters may be anywhere in a title."""
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
    words: str = ""
    """Further words it is found by, such as the menu it stands in."""
    aside: str = ""
    """What is said quietly beside the title."""
    snippet: str = ""
    """A line below: a piece of text with what was asked for."""
    found: tuple[int, int] = (0, 0)
    """Where in the snippet that stands."""
    token: tuple[int, int] = (0, 0)
    """Where in the snippet the token stands on which the feature fires."""

    def pieces(self) -> list[tuple[str, bool, bool]]:
        """Return the snippet in pieces: text, whether it was asked for, whether it is the token."""
        cuts = sorted({0, *self.found, *self.token, len(self.snippet)})
        return [
            (
                self.snippet[first:last],
                self.found[0] <= first and last <= self.found[1],
                self.token[0] <= first and last <= self.token[1],
            )
            for first, last in pairwise(cuts)
        ]


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
    # Of longer words it is chance: “settings” lies in “splits itself into finer things”.
    if 1 < len(query) <= _MOST_LETTERS and all(letter in letters for letter in query):
        return _SUBSEQUENCE + shortness
    return 0.0


def rank(query: str, entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that answer `query`, best first; equals keep their order."""
    scored = [(_score(query, entry), entry) for entry in entries]
    best = max((s for s, _ in scored), default=0.0)
    # Letters that merely occur in order count only where nothing fits better.
    least = _SUBSTRING / 2 if best >= _SUBSTRING else 0.0
    found = [(s, e) for s, e in scored if s > least]
    found.sort(key=lambda pair: (not pair[1].enabled, -pair[0]))
    return [entry for _, entry in found]


def _score(query: str, entry: Entry) -> float:
    """Return how well an entry answers: by its title, else by all that is known of it."""
    beside = score(query, f"{entry.kind} {entry.words} {entry.title}")
    return max(score(query, entry.title), 0.75 * beside if beside > _SUBSEQUENCE + 1 else 0.0)


def feature_number(query: str) -> int | None:
    """Return the feature that “123”, “#123”, “f123” or “feature 123” names, or None."""
    text = query.casefold().strip().removeprefix("feature").strip().removeprefix("f").lstrip("#")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
