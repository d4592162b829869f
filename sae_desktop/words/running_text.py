"""Tokens as running text: what is shown, what is copied, and which token lies where. Free of Qt.

Offsets are UTF-16 code units, the unit in which Qt counts. Shown and copied text have the same
length, so that a selection of one is a selection of the other.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sae_desktop.language_model.text.token_text import visible_token

_BYTE = re.compile("⟨0x([0-9A-F]{2})⟩")
_LONGEST_JOIN = 6
"""Tokens looked at to complete a character that the tokenizer has cut."""
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


@dataclass(frozen=True)
class Piece:
    """What is shown as one box: a token, or the tokens that make up one cut character."""

    text: str
    first: int
    """Its first token."""
    end: int
    """One past its last token."""
    start_offset: int
    end_offset: int


class RunningText:
    """The text of T tokens."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self.pieces: list[Piece] = []
        offset = 0
        for first, end, text in _joined(self.tokens):
            length = utf16_length(text)
            self.pieces.append(Piece(text, first, end, offset, offset + length))
            offset += length
        self.length = offset
        self.source = "".join(piece.text for piece in self.pieces)
        self.shown_pieces = [_shown(piece.text) for piece in self.pieces]
        """Every piece as it is shown."""
        self.shown = "".join(self.shown_pieces)
        self._starts = [piece.start_offset for piece in self.pieces]

    def piece_at(self, offset: int) -> int | None:
        """Return which piece covers an offset; None past the end."""
        if not 0 <= offset < self.length:
            return None
        return bisect_right(self._starts, offset) - 1

    def piece_of_token(self, token: int) -> int | None:
        """Return which piece a token is part of."""
        for number, piece in enumerate(self.pieces):
            if piece.first <= token < piece.end:
                return number
        return None

    def copied(self, start: int, end: int) -> str:
        """Return the plain text between two offsets; half a surrogate pair is left out."""
        data = self.source.encode("utf-16-le", "surrogatepass")
        return data[2 * max(start, 0) : 2 * max(end, 0)].decode("utf-16-le", "ignore")


def utf16_length(text: str) -> int:
    """Return a text's length in UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text) + sum(character > "\uffff" for character in text)


def _joined(tokens: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (first, end, text) per piece; tokens that only together are characters join."""
    found = []
    first = 0
    while first < len(tokens):
        end, text = first + 1, tokens[first]
        if "⟨0x" in text:
            for last in range(first + 1, min(first + _LONGEST_JOIN, len(tokens)) + 1):
                whole = _decoded(tokens[first:last])
                if whole is not None:
                    end, text = last, whole
                    break
        found.append((first, end, text))
        first = end
    return found


def _decoded(tokens: Sequence[str]) -> str | None:
    data = b"".join(_token_bytes(token) for token in tokens)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _token_bytes(token: str) -> bytes:
    pieces = _BYTE.split(token)  # text, hex, text, hex, …, text
    return b"".join(
        bytes.fromhex(piece) if odd else piece.encode("utf-8", "surrogatepass")
        for odd, piece in zip((i % 2 for i in range(len(pieces))), pieces, strict=True)
    )


def shown_token(text: str) -> str:
    """Return one token that stands alone: also the space before it is visible."""
    shown = _shown(text)
    return "·" + shown[1:] if shown.startswith(" ") else shown


def _shown(text: str) -> str:
    """Make visible what running text hides; a space before a word stays a space."""
    if text.isascii() and text.isprintable():
        return text if text.strip(" ") else "·" * len(text)
    if not text.strip(" "):
        return "·" * len(text)
    return "".join(_shown_character(character) for character in text)


def _shown_character(character: str) -> str:
    if character in "\n\t":
        return visible_token(character)
    if character in _BIDI_CONTROLS or character in "\u2028\u2029":
        return "�"
    if unicodedata.category(character) == "Cc":
        code = ord(character)
        return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"
    if unicodedata.category(character) == "Cs":
        return "�"
    return character
