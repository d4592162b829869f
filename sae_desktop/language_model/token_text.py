"""The one place that turns a token's bytes into what a person reads."""

from __future__ import annotations


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
    """Return a token for display: ↵ for a newline, → for a tab, · for a leading space."""
    if text.startswith(" "):
        text = "·" + text[1:]
    return text.replace("\n", "↵").replace("\t", "→")
