"""Pieces of a text as they stand in a name: in quotes, nothing in them steering a screen."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_RIGHT_TO_LEFT = ("R", "AL")
_ISOLATE, _POP = "\u2068", "\u2069"
_JOINERS = "\u200c\u200d"
"""Which letters join, in the scripts of India and Persia: part of how a word is written."""
_MOST = 24
"""Characters of a quotation."""
_REMEMBERED = 1 << 14
"""Texts: the same tokens come again and again."""


@lru_cache(_REMEMBERED)
def plain(text: str) -> str:
    """Return a text in one line, controls made visible, no longer than a quotation may be."""
    shown = "".join(map(_shown, text))
    if len(shown) > _MOST:
        shown = shown[: _MOST - 1] + "…"
    # A mark without a letter would fall on the quote before it.
    return "◌" + shown if shown and unicodedata.combining(shown[0]) else shown


def _shown(character: str) -> str:
    if character in "\n\r":
        return "↵"
    if character == "\t":
        return "→"
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn") and character not in _JOINERS:
        return f"⟨U+{ord(character):04X}⟩"
    return character


@lru_cache(_REMEMBERED)
def quoted(text: str, before: str = "", after: str = "") -> str:
    """Return “text”, with `before` and `after` within the quotes, in its own direction."""
    shown = plain(text)
    if any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in shown):
        shown = f"{_ISOLATE}{shown}{_POP}"
    return f"“{before}{shown}{after}”"
