"""The page of the manual with every term, made from the glossary."""

from __future__ import annotations

from collections.abc import Iterator

from sae_desktop.words.glossary import entries
from sae_desktop.words.manual.page import anchor_of
from sae_desktop.words.terms.entry import Entry


def glossary_page() -> str:
    """Return the page as Markdown."""
    parts = [
        "# Glossary",
        "",
        "Every term that stands in the window or on the command line. In the window, point at a "
        "term to read its first sentence, or press F1 for all of it.",
    ]
    for entry in entries():
        parts += ["", *_entry(entry)]
    return "\n".join(parts) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    yield f"## {_plain(entry.term)}"
    yield ""
    yield f"{_plain(entry.hover)} {_plain(entry.more)}"
    if entry.where:
        yield ""
        yield f"Where: {_plain(entry.where)}."
    if entry.names:
        yield ""
        yield f"On screen also as: {_plain(', '.join(entry.names))}."
    if entry.see:
        links = (f"[{_plain(term)}](#{anchor_of(term)})" for term in entry.see)
        yield ""
        yield f"See also: {', '.join(links)}."


def _plain(text: str) -> str:
    """Return a text whose characters Markdown takes for none of its marks."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|&~" else c for c in text)
