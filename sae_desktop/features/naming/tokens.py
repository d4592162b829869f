"""What a token is besides itself, for the whole vocabulary at once: tables by token.

V tokens. A table holds a code (V,) int32 for each token, −1 where it has none, and what each
code stands for in words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.lexicons import sign_class, word_classes

if TYPE_CHECKING:
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

LINE_BREAKS, EMPTY_LINES = "line breaks", "empty lines"
INDENTS, SPACES, RUNS = "line breaks before an indent", "spaces", "runs of spaces"
BLANKS = (LINE_BREAKS, EMPTY_LINES, INDENTS, SPACES, RUNS)
"""What tokens that show nothing are called."""
_SCRIPTS = {
    "CYRILLIC": "Cyrillic letters", "GREEK": "Greek letters", "ARABIC": "Arabic letters",
    "HEBREW": "Hebrew letters", "DEVANAGARI": "Devanagari letters", "BENGALI": "Bengali letters",
    "TAMIL": "Tamil letters", "TELUGU": "Telugu letters", "GUJARATI": "Gujarati letters",
    "GURMUKHI": "Gurmukhi letters", "KANNADA": "Kannada letters", "MALAYALAM": "Malayalam letters",
    "THAI": "Thai letters", "CJK": "Chinese characters", "HIRAGANA": "Japanese letters",
    "KATAKANA": "Japanese letters", "HANGUL": "Korean letters", "ARMENIAN": "Armenian letters",
    "GEORGIAN": "Georgian letters", "ETHIOPIC": "Ethiopic letters",
}  # fmt: skip
_THREE_BYTES = {
    0xE0A4: "Devanagari letters", 0xE0A5: "Devanagari letters", 0xE0A6: "Bengali letters",
    0xE0A7: "Bengali letters", 0xE0AE: "Tamil letters", 0xE0AF: "Tamil letters",
    0xE0B8: "Thai letters", 0xE0B9: "Thai letters", 0xE381: "Japanese letters",
    0xE382: "Japanese letters", 0xE383: "Japanese letters",
}  # fmt: skip
_LEADS = {
    0xCE: "Greek letters", 0xCF: "Greek letters", 0xD0: "Cyrillic letters",
    0xD1: "Cyrillic letters", 0xD6: "Hebrew letters", 0xD7: "Hebrew letters",
    0xD8: "Arabic letters", 0xD9: "Arabic letters", 0xC3: "accented letters",
    0xC4: "accented letters", 0xC5: "accented letters",
    **dict.fromkeys(range(0xE4, 0xEA), "Chinese characters"),
    **dict.fromkeys(range(0xEA, 0xEE), "Korean letters"),
}  # fmt: skip
"""First bytes of characters that are cut into bytes."""
PARTS = "parts of characters"


@dataclass(frozen=True)
class Table:
    """A fact of each token."""

    codes: Array
    """(V + 1,) int32; the last is of no token at all: −1."""
    names: Sequence[str]


@dataclass(frozen=True)
class TokenTables:
    """All that is known of the tokens of a vocabulary."""

    raw: Sequence[bytes]
    texts: Sequence[str]
    """(V,) each as text; a part of a character is empty."""
    facts: dict[str, Table]
    letters: Array
    """(V + 1,) bool: made of letters, or of a part of one."""
    spaced: Array
    """(V + 1,) bool: begins with a space or a line break, or is one."""
    breaks: Array
    """(V + 1,) bool: contains a line break."""
    blank: Array
    """(V + 1,) bool: nothing but spaces and line breaks."""
    ends_sentence: Array
    opens: Array
    """(V + 1,) int8: +1 opens a round bracket, −1 closes one, 0 neither or both."""
    code: Array
    """(V + 1,) bool: such signs as programs are full of."""
    quotes: Array
    digits: Array

    @property
    def size(self) -> int:
        """V."""
        return len(self.texts)


def token_tables(index: IndexFile) -> TokenTables:
    """Return the tables of an index's vocabulary; where it has none, of the numbers it uses."""
    size = index.vocabulary_size
    if not size:
        size = int(index.tokens.max(initial=-1)) + 1
        raw = [f"⟨{number}⟩".encode() for number in range(size)]
    else:
        raw = [index.token_bytes(number) or b"" for number in range(size)]
    return tables_of(raw)


def tables_of(raw: Sequence[bytes]) -> TokenTables:
    """Return the tables of tokens given as bytes."""
    texts = [_text(data) for data in raw]
    words = [text.strip() for text in texts]
    keys = [_key(text) for text in texts]
    facts = {
        "token": Table(_own(len(raw)), [_shown(text) for text in texts]),
        "key": _table([key or None for key in keys]),
        "kind": _table(list(map(_kind, raw, texts))),
        "case": _table(list(map(_case, words))),
        "script": _table(list(map(_script, raw, words))),
        "class": _table([word_classes().get(key) if key else None for key in keys]),
        "sign": _table([sign_class(word) or None if word else None for word in words]),
    }
    for length in (2, 3, 4):
        facts[f"end{length}"] = _table(list(map(_ending(length), texts, words)))
    for length in (1, 2, 3):
        facts[f"start{length}"] = _table([_beginning(word, length) for word in words])
    return TokenTables(
        raw=raw,
        texts=texts,
        facts=facts,
        letters=_flags([_lettered(data, word) for data, word in zip(raw, words, strict=True)]),
        spaced=_flags([not data or data[:1] in b" \n\t\r" for data in raw]),
        breaks=_flags(["\n" in text for text in texts]),
        blank=_flags([bool(text) and not word for text, word in zip(texts, words, strict=True)]),
        ends_sentence=_flags([word[-1:] in ".!?。！？" and bool(word) for word in words]),
        opens=np.array([*(np.sign(w.count("(") - w.count(")")) for w in words), 0], np.int8),
        code=_flags([any(c in "(){}[]=_<>;`$\\|" for c in word) for word in words]),
        quotes=_flags([any(c in '"“”«»„' for c in word) for word in words]),
        digits=_flags([word.isdigit() for word in words]),
    )


def _text(data: bytes) -> str:
    """Return a token as text; empty where it is a part of a character."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _key(text: str) -> str:
    """Return what tokens that a person calls the same have in common."""
    word = text.strip()
    if word:
        return word.casefold() if any(map(str.isalpha, word)) else word
    breaks = text.count("\n")
    if breaks:
        return EMPTY_LINES if breaks > 1 else LINE_BREAKS if text == "\n" else INDENTS
    return ("", SPACES)[len(text)] if len(text) < 2 else RUNS


def _shown(text: str) -> str:
    return text.strip() or _key(text)


def _kind(data: bytes, text: str) -> str | None:
    word = text.strip()
    if data and not text:
        return PARTS
    if not word:
        return "line breaks" if "\n" in text else ("spaces" if text else None)
    if word.isdigit():
        return "numbers"
    if any(map(str.isalpha, word)):
        return "starts of words" if text[0] == " " else "pieces of words"
    return "punctuation and signs"


def _case(word: str) -> str | None:
    if not word or not any(map(str.isalpha, word)):
        return None
    if len(word) == 1 and word.isupper():
        return "single capital letters"
    if word.isupper():
        return "capital letters"
    return "capitalised words" if word[0].isupper() else None


def _script(data: bytes, word: str) -> str | None:
    if not word:
        cut = data.lstrip(b" ")
        return _THREE_BYTES.get(int.from_bytes(cut[:2], "big")) or _LEADS.get(cut[0] if cut else 0)
    letter = next((c for c in word if c.isalpha() or unicodedata.combining(c)), "")
    if not letter or letter.isascii():
        return "accented letters" if letter and not word.isascii() else None
    name = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
    return _SCRIPTS.get(name, "accented letters" if name in ("LATIN", "COMBINING") else None)


def _ending(length: int) -> Callable[[str, str], str | None]:
    def ending(text: str, word: str) -> str | None:
        inside = text[:1] not in (" ", "")
        if len(word) < length + (0 if inside else 1) or not word.isalpha():
            return None
        return word[-length:].casefold()

    return ending


def _beginning(word: str, length: int) -> str | None:
    return word[:length].casefold() if len(word) >= length and word[:length].isalpha() else None


def _lettered(data: bytes, word: str) -> bool:
    if not word:
        return bool(data.strip())
    return all(c.isalpha() or unicodedata.combining(c) for c in word)


def _own(size: int) -> Array:
    return np.append(np.arange(size, dtype=np.int32), np.int32(-1))


def _table(values: Sequence[str | None]) -> Table:
    names: dict[str, int] = {}
    codes = [-1 if value is None else names.setdefault(value, len(names)) for value in values]
    return Table(np.array([*codes, -1], np.int32), list(names))


def _flags(values: Sequence[bool]) -> Array:
    return np.array([*values, False], bool)
