"""What the search finds in the manual: headings, and places in the texts with a piece of each."""

from __future__ import annotations

from collections.abc import Callable

from sae_desktop.gui.frame.manual.made_pages import MadePages
from sae_desktop.gui.frame.palette_rows import Provider
from sae_desktop.gui.parts.search import Entry
from sae_desktop.words.manual.search import LEAST, search

_MOST = 6
_ELSEWHERE = ("glossary", "settings")
"""Pages whose headings the search has among its terms, or which are tables of names."""


def manual_provider(pages: MadePages, show: Callable[[str, str], object]) -> Provider:
    """Return the source of the manual's sections; `show` opens a page at a heading."""

    def find(query: str) -> list[Entry]:
        if len(query.strip()) < LEAST:
            return []
        pages.need_soon()
        sections = [one for one in pages.manual.sections() if one.page not in _ELSEWHERE]
        return [
            Entry(
                "Manual",
                hit.section.title,
                f"{hit.section.page}#{hit.section.anchor}",
                detail=pages.manual.title(hit.section.page) if hit.section.level > 1 else "",
                snippet=hit.snippet,
                found=hit.found,
            )
            for hit in search(query, sections, _MOST)
        ]

    def run(entry: Entry) -> None:
        page, _, anchor = entry.key.partition("#")
        show(page, anchor)

    return Provider(find, run, ranked=False, heading="In the manual", last=True)
