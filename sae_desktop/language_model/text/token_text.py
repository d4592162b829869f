"""The one place that turns a token's bytes into what a person reads."""

from __future__ import annotations

import re

_UNSEEN_SPACES = re.compile(r"^ +| +$|(?<=[\n\r\t]) +| +(?=[\n\r\t])")


def token_text(data: bytes) -> str:
    """Return a token as text; bytes that are no character appear as ⟨0xE2⟩."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(
            f"⟨0x{ord(c) - 0xDC00:02X}⟩" if "\udc80" <= c <= "\udcff" else c
            for c in data.decode("utf-8", "surrogateescape")
        )


def visible_token(text: str) -> str:
    """Return a token for display: ↵ for a newline, ␍ for a carriage return, → for a tab, · for a
    space at an end or beside a newline, where it would not be seen."""
    shown = _UNSEEN_SPACES.sub(lambda found: "·" * len(found[0]), text)
    return shown.replace("\n", "↵").replace("\r", "␍").replace("\t", "→").replace("\u00a0", "⍽")
