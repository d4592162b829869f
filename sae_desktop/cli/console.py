"""What reaches a terminal: every text a command prints passes through here.

Names, labels and tokens come from other people. A control sequence in one would move the cursor,
rewrite what was said before or set the window's title, so it is shown instead of sent.
"""

from __future__ import annotations

import os
import re
import sys

_BREAKING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Control characters of both sets, and those that reverse the reading order."""


def visible(text: str) -> str:
    """Return a text in which control sequences are made visible; line breaks and tabs stay."""
    return _BREAKING.sub(lambda found: _picture(ord(found[0])), text)


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"


def visible_json(data: bytes) -> bytes:
    """Return encoded JSON with the same characters escaped the JSON way."""
    text = data.decode()
    return _BREAKING.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def encoded(text: str) -> bytes:
    """Return a text encoded for standard output: as UTF-8, or as PYTHONIOENCODING asks."""
    asked = sys.stdout.encoding if os.environ.get("PYTHONIOENCODING") else None
    return visible(text).encode(asked or "utf-8", "replace")


def say(text: object) -> None:
    """Print a line to standard error."""
    print(visible(str(text)), file=sys.stderr)


def accept_any_character() -> None:
    """Make streams that cannot hold a character print another in its place instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
