"""Text from elsewhere with its control sequences made visible. Free of torch and Qt."""

from __future__ import annotations

import re

BREAKING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Control characters of both sets, and those that reverse the reading order."""


def visible(text: str) -> str:
    """Return a text in which control sequences are made visible; line breaks and tabs stay."""
    return BREAKING.sub(lambda found: _picture(ord(found[0])), text)


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"
