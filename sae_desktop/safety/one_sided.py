"""Fillers that stand on one side of a concept set only: they tell the sides apart, not the concept.

What differs between the texts of one template fills its places. A word that does so in several
templates of one side and stands in no text of the other is enough to tell the two: a feature that
reads nothing but this word looks like one of the concept. Free of torch and Qt.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from sae_desktop.language_names import language_name

FEWEST_TEMPLATES = 2
"""Of one side that a word must fill: in one it may as well be its matter."""
_WORD = re.compile(r"[^\W\d_]{2,}|\d+")
_WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
_SHOWN = 6


class OneSided(NamedTuple):
    """A word that fills templates of one side only."""

    word: str
    positive: bool
    language: str
    templates: int
    """Of its side that it fills."""


class Filled(Protocol):
    """A text as this needs it."""

    @property
    def text(self) -> str: ...
    @property
    def positive(self) -> bool: ...
    @property
    def language(self) -> str: ...
    @property
    def template(self) -> int: ...


def one_sided_fillers(texts: Sequence[Filled]) -> list[OneSided]:
    """Return the words that fill several templates of one side and are not on the other.

    Those in most templates first. Languages are looked at one by one.
    """
    words_of = {text.text: _words(text.text) for text in texts}
    families: dict[tuple[str, bool, int], list[set[str]]] = defaultdict(list)
    there: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for text in texts:
        found = words_of[text.text]
        families[text.language, text.positive, text.template].append(found)
        there[text.language, text.positive] |= found
    counts: dict[tuple[str, bool, str], int] = defaultdict(int)
    for (language, positive, _), variants in families.items():
        shared = set.intersection(*variants)
        for word in set.union(*variants) - shared:
            if word not in there[language, not positive]:
                counts[language, positive, word] += 1
    found_words = [
        OneSided(word, positive, language, count)
        for (language, positive, word), count in counts.items()
        if count >= FEWEST_TEMPLATES and there[language, not positive]
    ]
    return sorted(found_words, key=lambda one: (-one.templates, one.language, one.word))


def _words(text: str) -> set[str]:
    """Return the words of a text; where a script has no spaces, pairs of characters."""
    words = {word.casefold() for word in _WORD.findall(text)}
    for run in _WITHOUT_SPACES.findall(text):
        words |= {run[place : place + 2] for place in range(len(run) - 1)}
        words.discard(run)
    return words


def one_sided_text(found: Iterable[OneSided]) -> list[str]:
    """Return a sentence for each side and language with such fillers."""
    groups: dict[tuple[str, bool], list[OneSided]] = defaultdict(list)
    for one in found:
        groups[one.language, one.positive].append(one)
    lines = []
    for (language, positive), words in groups.items():
        shown = ", ".join(f"“{one.word}”" for one in words[:_SHOWN])
        more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        side, other = ("positives", "near misses")
        if not positive:
            side, other = other, side
        lines.append(
            f"Fillers on one side only ({language_name(language)}): {shown}{more} fill up to "
            f"{words[0].templates} templates of the {side} and stand in no text of the {other}. "
            "A feature for such a word looks like one for the concept: use them on both sides."
        )
    return lines
