"""What is said of a picture, as tokens: lines such as “German: Pferdegesicht”.

A line says what there is in one language; a line of “words” its keywords there. The lines of one
text are in an order by chance, so that whichever language comes first has to be read off the
picture, and the others can be translated. The same lines without a picture make the words of one
thing alike, whatever the language.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from emoji import MAIN, Emoji
from model import IMAGE_TOKEN, PATCHES
from scenes import Scene
from tokenizers import Tokenizer

_OFTEN = 400.0
"""How much more often the main languages come up than any other: in 19 lines of 20."""
CONTEXT = 128
"""Tokens of a text without a picture."""
ROOM = 48
"""Tokens of the lines of a picture."""

BEFORE = 16
"""Most tokens of another text before a name."""
KEYWORDS = 3
"""Of a line of words: the first, since what comes by chance cannot be learnt."""
_MISSES = 3
"""Lines that find no room before a text ends."""


class Line(NamedTuple):
    asked: list[int]
    """Tokens of such as “German:”."""
    told: list[int]
    """Tokens of what follows, to its end of line."""


def _tokens(lines: list[Line]) -> list[int]:
    return [token for line in lines for token in (*line.asked, *line.told)]


def _single(scene: Scene) -> Emoji | None:
    return scene.of[0] if scene.kind == "one" else None


class Teller:
    """Makes texts of scenes and of emoji."""

    def __init__(self, tokenizer: Tokenizer, titles: dict[str, str], seed: int) -> None:
        """`titles`: by language, how it is asked for."""
        self._tokenizer, self._titles = tokenizer, titles
        self._random = random.Random(seed)
        self.bos = tokenizer.token_to_id("<|bos|>")
        self.eos = tokenizer.token_to_id("<|eos|>")
        added = tokenizer.token_to_id(IMAGE_TOKEN)
        self.image: int = tokenizer.get_vocab_size() if added is None else added

    def of_scene(self, scene: Scene) -> list[Line]:
        """Return lines of what a picture shows."""
        return self._fitting(scene.said, _single(scene), ROOM)

    def of_words(self, emoji: Emoji) -> list[int]:
        """Return a text of an emoji without a picture."""
        lines = self._fitting(emoji.names, emoji, CONTEXT - 2)
        return [
            self.bos,
            *(token for line in lines for token in (*line.asked, *line.told)),
            self.eos,
        ]

    def among(self, emoji: Emoji, others: list[int]) -> tuple[list[int], int]:
        """Return a name in a main language after words of another text or after its language, and
        where it ends.

        `others`: tokens of another text.
        """
        tag = self._random.choice([tag for tag in MAIN if tag in emoji.names])
        if self._random.random() < 0.5:
            before = self._ids(f"{self._titles[tag]}:")
        else:
            first = self._random.randrange(len(others) - BEFORE)
            before = others[first : first + self._random.randint(1, BEFORE)]
        ids = [self.bos, *before, *self._ids(f" {emoji.names[tag]}")]
        return ids, len(ids) - 1

    def of_names(self, emoji: Emoji) -> list[int]:
        """Return lines of an emoji's names in the main languages alone, in their order."""
        lines = [self._line(self._titles[tag], emoji.names[tag])
                 for tag in MAIN if tag in emoji.names]  # fmt: skip
        return [self.bos, *_tokens(lines)]

    def asked(self, language: str) -> list[int]:
        """Return a picture's tokens and the beginning of a line in a language."""
        return [self.bos, *[self.image] * PATCHES, *self._ids(f"{self._titles[language]}:")]

    def text(self, ids: list[int]) -> str:
        """Return what tokens say."""
        said: str = self._tokenizer.decode(ids)
        return said

    def names_in(self, ids: list[int]) -> list[bool]:
        """Tell which tokens of a text of words are of names or keywords."""
        found, inside = [], False
        for token in ids:
            text = self._tokenizer.decode([token])
            inside = inside and "\n" not in text
            found.append(inside)
            inside = inside or ":" in text
        return found

    def line_ends(self) -> list[int]:
        """Return the tokens that end a line."""
        ids = range(self._tokenizer.get_vocab_size())
        return [token for token in ids if "\n" in self._tokenizer.decode([token])]

    def lines(self, scene: Scene, count: int) -> str:
        """Return lines of what a scene shows, at most so many."""
        some = islice(self._lines(scene.said, _single(scene)), count)
        return "".join(f"{title}: {said}\n" for title, said in some)

    def _fitting(self, said: dict[str, str], emoji: Emoji | None, room: int) -> list[Line]:
        """Return lines by chance as there is room for."""
        found, misses = [], 0
        for title, one in self._lines(said, emoji):
            line = self._line(title, one)
            if (length := len(line.asked) + len(line.told)) <= room:
                found.append(line)
                room -= length
            elif (misses := misses + 1) == _MISSES:
                break
        return found

    def _line(self, title: str, said: str) -> Line:
        return Line(self._ids(f"{title}:"), self._ids(f" {said}\n"))

    def _lines(self, said: dict[str, str], emoji: Emoji | None) -> Iterator[tuple[str, str]]:
        """Yield titles and what is said, no two of one kind in one language."""
        asked = [(tag, False) for tag in said]
        if emoji is not None:
            asked += [(tag, True) for tag in said if tag in emoji.words]
        weights = [(_OFTEN if tag in MAIN else 1.0) / (10 if words else 1) for tag, words in asked]
        # By chance, the heavier sooner (Efraimidis and Spirakis, 2006).
        drawn = [self._random.random() ** (1 / weight) for weight in weights]
        for _, (tag, words) in sorted(zip(drawn, asked, strict=True), reverse=True):
            title = self._titles[tag]
            if words and emoji is not None:
                yield f"{title} words", ", ".join(emoji.words[tag][:KEYWORDS])
            else:
                yield title, said[tag]

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found
