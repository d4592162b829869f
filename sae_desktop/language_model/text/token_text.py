"""The one place that turns a token's bytes into what a person reads."""

from __future__ import annotations

import re

IMAGE_TOKEN = "⟨image⟩"
"""What a token of a picture is shown as among those of a text."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
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
    space at an end or beside a newline, where it would not be seen; other control characters as
    bytes, ⟨0x08⟩, since a font has nothing to show for them."""
    shown = _UNSEEN_SPACES.sub(lambda found: "·" * len(found[0]), text)
    shown = _CONTROLS.sub(lambda found: f"⟨0x{ord(found[0]):02X}⟩", shown)
    return shown.replace("\n", "↵").replace("\r", "␍").replace("\t", "→").replace("\u00a0", "⍽")
