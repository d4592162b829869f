"""What reaches a terminal: every text a command prints passes through here.

Names, labels and tokens come from other people. A control sequence in one would move the cursor,
rewrite what was said before or set the window's title, so it is shown instead of sent.
"""

from __future__ import annotations

import os
import sys

from sae_desktop.words.visible_text import BREAKING
from sae_desktop.words.visible_text import visible as visible


def visible_json(data: bytes) -> bytes:
    """Return encoded JSON with the same characters escaped the JSON way."""
    text = data.decode()
    return BREAKING.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


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
