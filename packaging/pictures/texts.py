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

from emoji import Emoji
from model import IMAGE_TOKEN, PATCHES
from scenes import Scene
from tokenizers import Tokenizer

MAIN = ("en", "de", "fr", "es", "ru")
"""Languages that come up far more often than any other."""
_OFTEN = 160.0
"""How much more: nine lines in ten are in one of them."""
CONTEXT = 96
"""Tokens of a text, two thirds of them the picture's: few lines, so that most of what they say has
to be read off the picture and not off the line before."""

_MISSES = 3
"""Lines that find no room before a text ends."""


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

    def of_scene(self, scene: Scene) -> list[int]:
        """Return the picture's tokens and lines of it."""
        emoji = scene.of[0] if scene.kind == "one" else None
        return self._text([self.image] * PATCHES, scene.said, emoji)

    def of_words(self, emoji: Emoji) -> list[int]:
        """Return lines of an emoji without a picture."""
        return self._text([], emoji.names, emoji)

    def of_names(self, emoji: Emoji) -> list[int]:
        """Return lines of an emoji's names in the main languages alone, in their order."""
        said = [self._ids(f"{self._titles[tag]}: {emoji.names[tag]}\n")
                for tag in MAIN if tag in emoji.names]  # fmt: skip
        return [self.bos, *(token for line in said for token in line)]

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
        emoji = scene.of[0] if scene.kind == "one" else None
        return "".join(islice(self._lines(scene.said, emoji), count))

    def _text(self, picture: list[int], said: dict[str, str], emoji: Emoji | None) -> list[int]:
        ids = [self.bos, *picture]
        room, misses = CONTEXT - 1 - len(ids), 0
        for line in self._lines(said, emoji):
            more = self._ids(line)
            if len(more) <= room:
                ids += more
                room -= len(more)
            elif (misses := misses + 1) == _MISSES:
                break
        return [*ids, self.eos]

    def _lines(self, said: dict[str, str], emoji: Emoji | None) -> Iterator[str]:
        """Yield lines of which no two are of one kind in one language."""
        asked = [(tag, False) for tag in said]
        if emoji is not None:
            asked += [(tag, True) for tag in said if tag in emoji.words]
        weights = [(_OFTEN if tag in MAIN else 1.0) / (2 if words else 1) for tag, words in asked]
        # By chance, the heavier sooner (Efraimidis and Spirakis, 2006).
        drawn = [self._random.random() ** (1 / weight) for weight in weights]
        for _, (tag, words) in sorted(zip(drawn, asked, strict=True), reverse=True):
            title = self._titles[tag]
            if words and emoji is not None:
                some = list(emoji.words[tag])
                self._random.shuffle(some)
                yield f"{title} words: {', '.join(some[:6])}\n"
            else:
                yield f"{title}: {said[tag]}\n"

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found
