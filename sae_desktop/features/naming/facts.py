"""What may be said of a place in a text: the facts that names are made of.

n rows, A facts. A fact is known of a row by a code; −1: it has none. Facts of tokens have the codes
of their table; those of several tokens are hashes, told in words from a row that has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.documents import document_kinds
from sae_desktop.features.naming.tokens import TokenTables

if TYPE_CHECKING:
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]
Group = Literal["self", "before", "after", "place", "text"]
BEFORE, AFTER = 28, 6
"""Tokens looked at around a row."""
_REACH = 7
"""Tokens that a word may have on either side."""
_PRIME = 1_000_003


class Fact(NamedTuple):
    """A kind of fact."""

    name: str
    group: Group
    weight: float
    """How readily a person takes it as what a feature is about."""
    table: str = ""
    """Whose codes it has; empty: a hash, or a code of its own."""


FACTS: tuple[Fact, ...] = (
    Fact("token", "self", 0.99, "token"),
    Fact("key", "self", 1.0, "key"),
    Fact("word", "self", 1.0),
    Fact("begun", "self", 0.93),
    Fact("class", "self", 0.97, "class"),
    Fact("sign", "self", 0.95, "sign"),
    Fact("case", "self", 0.95, "case"),
    Fact("kind", "self", 0.8, "kind"),
    Fact("script", "self", 0.9, "script"),
    *(Fact(f"end{n}", "self", 0.88, f"end{n}") for n in (2, 3, 4)),
    *(Fact(f"start{n}", "self", 0.8, f"start{n}") for n in (1, 2, 3)),
    Fact("pair", "self", 0.97),
    Fact("triple", "self", 0.95),
    Fact("four", "self", 0.9),
    Fact("previous", "before", 0.9, "key"),
    Fact("previous_class", "before", 0.8, "class"),
    Fact("previous_kind", "before", 0.5, "kind"),
    Fact("previous_case", "before", 0.6, "case"),
    Fact("previous_pair", "before", 0.88),
    Fact("previous_word", "before", 0.85, "key"),
    Fact("second_before", "before", 0.55, "key"),
    Fact("next", "after", 0.6, "key"),
    Fact("next_class", "after", 0.5, "class"),
    Fact("next_case", "after", 0.5, "case"),
    Fact("piece", "place", 0.6),
    Fact("line", "place", 0.9),
    Fact("sentence", "place", 0.8),
    Fact("start", "place", 1.0),
    Fact("line_head", "place", 0.6, "key"),
    Fact("brackets", "place", 0.5),
    Fact("source", "text", 0.75),
    Fact("language", "text", 0.85),
    Fact("document", "text", 0.7),
)
PLACE = {fact.name: number for number, fact in enumerate(FACTS)}
COUNT = len(FACTS)
PIECES = ("whole words", "first pieces of words", "middle pieces of words", "last pieces of words")
OWN_NAMES = {
    "piece": PIECES,
    "line": ("at the start of a line",),
    "sentence": ("at the start of a sentence",),
    "start": ("at the start of a window of text",),
    "brackets": ("in brackets",),
}


@dataclass(frozen=True)
class Around:
    """The tokens around some rows, as far as the model had read them, and a little beyond."""

    ids: Array
    """(n, BEFORE + 1 + AFTER) int32; V (no token at all) beyond the text."""
    first: Array
    """(n,) bool: the row is the first of what the model read."""


class RowFacts:
    """Tells the facts of the rows of an index."""

    def __init__(self, index: IndexFile, tables: TokenTables) -> None:
        self.tables = tables
        self._tokens = index.tokens
        self._passages = index.passages
        self._first = np.asarray(index.passages["first_row"], np.int64)
        self._windows = index.array("windows")
        self._read_before = index.array("read_before")
        documents = index.documents
        self.languages, language = np.unique(documents["language"], return_inverse=True)
        self.sources, source, self.kinds, kind = document_kinds(index, tables)
        self._text_codes = np.stack(
            [
                np.where((self.sources == b"")[source], -1, source),
                np.where((self.languages == b"")[language], -1, language),
                kind,
            ]
        ).astype(np.int32)

    def of(self, rows: Array) -> Array:
        """Return (n, A) int32."""
        around = self.around(rows)
        found = np.full((len(rows), COUNT), -1, np.int32)
        own = around.ids[:, BEFORE]
        before = around.ids[:, BEFORE - 1]
        tables = self.tables.facts
        for number, fact in enumerate(FACTS):
            if fact.table and fact.group == "self":
                found[:, number] = tables[fact.table].codes[own]
        put = _Putter(found)
        put("previous", tables["key"].codes[before])
        put("previous_class", tables["class"].codes[before])
        put("previous_kind", tables["kind"].codes[before])
        put("previous_case", tables["case"].codes[before])
        put("second_before", tables["key"].codes[around.ids[:, BEFORE - 2]])
        after = around.ids[:, BEFORE + 1]
        put("next", tables["key"].codes[after])
        put("next_class", tables["class"].codes[after])
        put("next_case", tables["case"].codes[after])
        self._words(around, put)
        self._phrases(around, put)
        self._places(around, put)
        document = self._passages["document"][self._passage(rows)]
        for name, codes in zip(("source", "language", "document"), self._text_codes, strict=True):
            put(name, codes[document])
        return found

    # ------------------------------------------------------------------ text around
    def _passage(self, rows: Array) -> Array:
        return np.maximum(np.searchsorted(self._first, rows, side="right") - 1, 0)

    def around(self, rows: Array) -> Around:
        """Return the tokens around rows (n,)."""
        rows = np.asarray(rows, np.int64)
        passage = self._passage(rows)
        low = self._first[passage]
        high = low + self._passages["length"][passage]
        if self._windows is not None and len(self._windows):
            window = np.maximum(np.searchsorted(self._windows, rows, side="right") - 1, 0)
            begins = np.asarray(self._windows, np.int64)[window]
            if self._read_before is not None:
                begins = begins - self._read_before[window]
            low = np.maximum(low, begins)
        places = rows[:, None] + np.arange(-BEFORE, AFTER + 1)
        inside = (places >= low[:, None]) & (places < high[:, None])
        ids = np.asarray(self._tokens[places.clip(0, len(self._tokens) - 1)], np.int64)
        size = self.tables.size
        ids = np.where(inside & (ids >= 0) & (ids < size), ids, size)
        return Around(ids, rows == low)

    def _word_spans(self, ids: Array) -> tuple[Array, Array]:
        """Return how many tokens before and after the row's are of the same word, (n,) each."""
        letters, spaced = self.tables.letters, self.tables.spaced
        size = self.tables.size
        joins = letters[ids[:, 1:]] & ~spaced[ids[:, 1:]] & letters[ids[:, :-1]]
        joins &= (ids[:, 1:] < size) & (ids[:, :-1] < size)
        back, ahead = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        going = np.ones(len(ids), bool)
        for step in range(_REACH):
            going = going & joins[:, BEFORE - 1 - step]
            back += going
        going = np.ones(len(ids), bool)
        for step in range(AFTER):
            going = going & joins[:, BEFORE + step]
            ahead += going
        return back, ahead

    def _words(self, around: Around, put: _Putter) -> None:
        ids, keys = around.ids, self.tables.facts["key"].codes
        back, ahead = self._word_spans(ids)
        n = np.arange(len(ids))
        exact = self.tables.facts["key"].codes[ids]
        own_letters = self.tables.letters[ids[:, BEFORE]]
        whole = self._hash(exact, BEFORE - back, BEFORE + ahead)
        begun = self._hash(exact, BEFORE - back, np.full(len(ids), BEFORE))
        put("word", np.where(own_letters & (back + ahead > 0), whole, -1))
        put("begun", np.where(own_letters & (back > 0), begun, -1))
        piece = np.select([(back == 0) & (ahead == 0), back == 0, ahead == 0], [0, 1, 3], default=2)
        put("piece", np.where(own_letters, piece, -1))
        # The word before, of which the last token stands before the first of this one.
        last = ids[n, np.maximum(BEFORE - back - 1, 0)]
        put("previous_word", np.where(back > 0, keys[last], -1))

    def _hash(self, codes: Array, first: Array, last: Array) -> Array:
        """Return a code (n,) ≥ 0 of the tokens from `first` to `last` of each row."""
        found = np.zeros(len(codes), np.int64)
        for place in range(BEFORE - _REACH, BEFORE + AFTER + 1):
            inside = (place >= first) & (place <= last)
            found = np.where(inside, found * _PRIME + codes[:, place] + 2, found)
        return _folded(found)

    def _phrases(self, around: Around, put: _Putter) -> None:
        keys = self.tables.facts["key"].codes[around.ids]
        there = keys >= 0
        for name, count, skip in (
            ("pair", 2, 0), ("triple", 3, 0), ("four", 4, 0), ("previous_pair", 2, 1),
        ):  # fmt: skip
            last = BEFORE - skip
            found = np.zeros(len(keys), np.int64)
            whole = np.ones(len(keys), bool)
            for place in range(last - count + 1, last + 1):
                found = found * _PRIME + keys[:, place] + 2
                whole &= there[:, place]
            put(name, np.where(whole, _folded(found), -1))

    def _places(self, around: Around, put: _Putter) -> None:
        tables, ids = self.tables, around.ids
        before = ids[:, :BEFORE]
        breaks = tables.breaks[before]
        nothing = before == tables.size
        blank = tables.blank[before]
        # The first token of a line: nothing but blanks since the last line break.
        line = self._only_blanks_since(breaks | nothing, blank)
        put("line", np.where(line & ~tables.blank[ids[:, BEFORE]], 0, -1))
        ends = tables.ends_sentence[before]
        sentence = self._only_blanks_since(ends, blank & ~breaks)
        put("sentence", np.where(sentence & ~tables.blank[ids[:, BEFORE]] & ~line, 0, -1))
        put("start", np.where(around.first, 0, -1))
        opens = tables.opens[before].astype(np.int64)
        depth = np.zeros(len(ids), np.int64)
        for place in range(BEFORE):
            depth = np.maximum(depth + opens[:, place], 0)
        put("brackets", np.where(depth > 0, 0, -1))
        put("line_head", self._line_heads(ids, breaks | nothing))

    def _only_blanks_since(self, marks: Array, blank: Array) -> Array:
        """Whether every token between the last mark and the row is blank, (n,)."""
        going, found = np.ones(len(marks), bool), np.zeros(len(marks), bool)
        for place in range(BEFORE - 1, BEFORE - 5, -1):
            found |= going & marks[:, place]
            going &= blank[:, place] & ~marks[:, place]
        return found

    def _line_heads(self, ids: Array, marks: Array) -> Array:
        """Return the key of the first token of the row's line; −1 where it is out of sight."""
        keys, blank = self.tables.facts["key"].codes, self.tables.blank
        place = np.arange(BEFORE)
        last = np.where(marks, place, -1).max(axis=1)
        at = np.where((place > last[:, None]) & ~blank[ids[:, :BEFORE]], place, BEFORE).min(axis=1)
        seen = (last >= 0) & (at < BEFORE)
        return np.where(seen, keys[ids[np.arange(len(ids)), at]], -1)

    # ------------------------------------------------------------------ in words
    def word_around(self, row: int) -> tuple[str, str]:
        """Return the word that a row's token is in, and as much of it as ends with the token."""
        ids = self.around(np.array([row])).ids
        back, ahead = (int(some[0]) for some in self._word_spans(ids))
        span = ids[0, BEFORE - back : BEFORE + ahead + 1].tolist()
        return self._joined(span), self._joined(span[: back + 1])

    def character_at(self, row: int) -> str:
        """Return the character that a row's token, some of its bytes, is part of."""
        ids = self.around(np.array([row])).ids[0].tolist()
        raw, size = self.tables.raw, self.tables.size
        before = b"".join(raw[number] for number in ids[BEFORE - 4 : BEFORE] if number < size)
        after = b"".join(raw[number] for number in ids[BEFORE : BEFORE + 5] if number < size)
        # Back to the byte that begins a character.
        start = len(before)
        while start > max(len(before) - 3, 0) and after[:1] and 0x80 <= after[0] < 0xC0:
            start -= 1
            if before[start] >= 0xC0:
                break
        data = (before[start:] + after).lstrip()
        return data.decode("utf-8", "ignore")[:1]

    def tokens_before(self, row: int, count: int, skip: int = 0) -> str:
        """Return the text of `count` tokens that end with the row's, or `skip` tokens earlier."""
        ids = self.around(np.array([row])).ids[0]
        last = BEFORE - skip
        return self._joined(ids[last - count + 1 : last + 1].tolist())

    def _joined(self, ids: list[int]) -> str:
        raw, size = self.tables.raw, self.tables.size
        return b"".join(raw[number] for number in ids if number < size).decode("utf-8", "ignore")


class _Putter:
    """Puts the codes of a fact into their column."""

    def __init__(self, found: Array) -> None:
        self._found = found

    def __call__(self, name: str, codes: Array) -> None:
        self._found[:, PLACE[name]] = codes


def _folded(values: Array) -> Array:
    """Return whole numbers as hashes ≥ 0 of 31 bits."""
    mixed = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(33)).astype(np.int64)
