"""How far the words of a label fit a text, by what stands at its marked place and around it.

Free of torch. A term that is rare in the index's text counts more: by its bits, minus the binary
logarithm of the share of texts it stands in. At the marked place it counts whole, before it less
the further away, after it hardly: the model has not read on when the feature fires.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.token_kinds import kinds_of
from sae_desktop.labels.examples import Example
from sae_desktop.labels.scoring.terms import Term, terms_of

Array = npt.NDArray[Any]

_SAMPLE, _SPAN = 3000, 32
"""Texts in which the share of a term is counted, and their tokens."""
_LEAST_BITS, _MOST_BITS = 0.5, 10.0
_FADES = 0.92
"""Of what a term counts, what is left one token further away."""
_INSIDE, _BEFORE, _AFTER = 0.6, 0.5, 0.1
"""What a term counts inside the marked word, just before it, and after it."""
_HELD = 100_000
_BYTE = re.compile("⟨0x([0-9A-F]{2})⟩")
_ENDINGS = ("ies", "ing", "es", "ed", "s", "y")
_LEAST_STEM = 4


def text_bytes(token: str) -> bytes:
    """Return the bytes of a token as the index tells it, ASCII letters in lower case."""
    if "⟨" not in token:
        return token.encode("utf-8", "replace").lower()
    parts = _BYTE.split(token)
    pairs = (
        bytes([int(part, 16)]) if number % 2 else part.encode("utf-8", "replace").lower()
        for number, part in enumerate(parts)
    )
    return b"".join(pairs)


def stem(word: str) -> str:
    """Return a word without the ending that its other forms do not share."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM:
            return word[: -len(ending)]
    return word


class MarkedText:
    """An example as bytes, with its marked place."""

    def __init__(self, example: Example) -> None:
        self.example = example
        pieces = [text_bytes(token) for token in example.tokens]
        self.starts = np.cumsum([0, *map(len, pieces)])
        self.text = b"".join(pieces)
        self.first = int(self.starts[example.peak])
        self.end = int(self.starts[example.peak + 1])
        self.token = self.text[self.first : self.end]

    @cached_property
    def word(self) -> bytes:
        """The word that the marked token is in, or ends."""
        own = self.token
        first = self.first + len(own) - len(own.lstrip())
        end = self.end - (len(own) - len(own.rstrip()))
        if first >= end:
            return b""
        while first > 0 and _lettered(self.text[first]) and _lettered(self.text[first - 1]):
            first -= 1
        while end < len(self.text) and _lettered(self.text[end - 1]) and _lettered(self.text[end]):
            end += 1
        return self.text[first:end]

    @cached_property
    def kinds(self) -> list[str]:
        return kinds_of(self.example.tokens[self.example.peak])

    def distances(self, pattern: re.Pattern[bytes]) -> tuple[int | None, int | None]:
        """Return how many tokens before the marked one a pattern ends, and after it begins."""
        before = after = None
        for found in pattern.finditer(self.text):
            if found.end() <= self.first:
                before = found.end()
            elif found.start() >= self.end:
                after = found.start()
                break
        return (
            None if before is None else self._tokens_between(before - 1, self.first),
            None if after is None else self._tokens_between(self.end - 1, after),
        )

    def _tokens_between(self, low: int, high: int) -> int:
        first, last = np.searchsorted(self.starts, [low, high], side="right")
        return int(last - first)


def _lettered(byte: int) -> bool:
    return byte >= 0x80 or chr(byte).isalnum()


class Texts:
    """The text of an index, as far as is needed to weigh a label's words."""

    def __init__(self, index: FeatureIndex, seed: int = 0) -> None:
        self._languages = np.array(index.documents["language"])
        self._share: dict[Term, float] = {}
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.integers(0, max(index.info.rows, 1), _SAMPLE))
        pieces, self._kinds = [], []
        for row in rows.tolist():
            ids = index.tokens[row : row + _SPAN].tolist()
            pieces.append(b"".join(text_bytes(index.token(t)) for t in ids))
            self._kinds.append(kinds_of(index.token(ids[0])) if ids else [])
        self._blob = b"\x00".join(pieces)
        self._starts = np.cumsum([0, *(len(piece) + 1 for piece in pieces)])
        passages = index.passages
        self._rows_of = np.bincount(
            passages["document"], weights=passages["length"], minlength=len(index.documents)
        )

    def language(self, document: int) -> str:
        return bytes(self._languages[document]).decode("utf-8", "replace")

    def bits(self, term: Term) -> float:
        """Return how much it says that a text fits a term."""
        share = self._share.get(term)
        if share is None:
            if len(self._share) >= _HELD:
                self._share.clear()
            share = self._share[term] = self._counted(term)
        return float(np.clip(-np.log2(share), _LEAST_BITS, _MOST_BITS))

    def _counted(self, term: Term) -> float:
        if term.what == "language":
            rows = self._rows_of[self._languages == term.text.encode()].sum()
            return float((rows + 0.5) / (self._rows_of.sum() + 1))
        if term.what == "kind":
            hits = sum(term.text in kinds for kinds in self._kinds)
        else:
            found = [match.start() for match in pattern_of(term).finditer(self._blob)]
            hits = len(np.unique(np.searchsorted(self._starts, found, side="right")))
        return (hits + 0.5) / (_SAMPLE + 1)


_patterns: dict[Term, re.Pattern[bytes]] = {}


def pattern_of(term: Term) -> re.Pattern[bytes]:
    """Return what finds a piece, or a word in any of its forms."""
    found = _patterns.get(term)
    if found is None:
        if len(_patterns) >= _HELD:
            _patterns.clear()
        if term.what == "word":
            source = rb"(?<![a-z\x80-\xff])" + re.escape(stem(term.text).encode())
        else:
            source = re.escape(term.text.encode())
        found = _patterns[term] = re.compile(source)
    return found


class WordsDetector:
    """Tells how far texts fit a label by its words."""

    def __init__(self, label: str, texts: Texts) -> None:
        self._texts = texts
        self.terms = terms_of(label)
        self._bits = [texts.bits(term) for term in self.terms]

    def scores(self, marked: Sequence[MarkedText]) -> Array:
        """Return (n,) bits of the label that texts fit."""
        return np.asarray([self._score(text) for text in marked], np.float64)

    def _score(self, marked: MarkedText) -> float:
        return sum(
            bits * self._fits(term, marked)
            for term, bits in zip(self.terms, self._bits, strict=True)
        )

    def _fits(self, term: Term, marked: MarkedText) -> float:
        if term.what == "language":
            return float(self._texts.language(marked.example.document) == term.text)
        if term.what == "kind":
            return float(term.text in marked.kinds)
        if term.where in ("at", "near"):
            at = _at_mark(term, marked)
            if at:
                return at
        before, after = marked.distances(pattern_of(term))
        full = 1.0 if term.where == "before" else _BEFORE
        found = 0.0 if before is None else full * _FADES**before
        if after is not None and term.where != "before":
            found = max(found, (1.0 if term.where == "after" else _AFTER) * _FADES**after)
        return found if term.where != "after" or after is not None else 0.0


def _at_mark(term: Term, marked: MarkedText) -> float:
    """Return what a term counts at the marked place; 0: it does not stand there."""
    text = term.text.encode()
    if term.what == "word":
        word = stem(term.text).encode()
        return 1.0 if marked.word.startswith(word) or marked.token.strip() == text else 0.0
    if not text.strip():
        return float(text in marked.token)
    if text in (marked.token.strip(), marked.word):
        return 1.0
    phrase = b" " in text or not all(map(_lettered, text))
    if phrase and marked.text[: marked.end].rstrip().endswith(text):
        return 1.0
    return _INSIDE if text in marked.word else 0.0
