"""The manual as a site: every link and picture of it is there, and nothing is fetched."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from sae_desktop.words.manual.contents import page_ids

PACKAGING = Path(__file__).parents[2] / "packaging"


class _Read(HTMLParser):
    """What a page links to, shows, and can be linked at."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.shown: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag == "a":
            self.links.append(unquote(str(found["href"])))
        if tag in ("img", "script"):
            self.shown.append(str(found["src"]))
        if tag == "link":
            self.shown.append(str(found["href"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    sys.path.insert(0, str(PACKAGING))
    try:
        from manual_site import build
    finally:
        sys.path.remove(str(PACKAGING))
    assert [path.stem for path in build(folder)] == list(page_ids())
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, _Read]:
    found = {}
    for path in site.glob("*.html"):
        found[path.name] = _Read()
        found[path.name].feed(path.read_text(encoding="utf-8"))
    return found


def test_links__lead_to_pages_and_headings_of_the_site(pages: dict[str, _Read]) -> None:
    for name, page in pages.items():
        for link in page.links:
            if link.startswith("https://"):
                continue
            other, _, anchor = link.partition("#")
            other = other or name
            assert other in pages, f"{name}: {link}"
            assert not anchor or anchor in pages[other].ids, f"{name}: {link}"


def test_pages__show_only_what_lies_beside_them(site: Path, pages: dict[str, _Read]) -> None:
    for name, page in pages.items():
        assert "site.css" in page.shown
        for shown in page.shown:
            assert (site / shown).is_file(), f"{name}: {shown}"
    for path in (*site.glob("*.css"), site / "search.js"):
        assert "http" not in path.read_text(encoding="utf-8")


def test_search_index__holds_the_sections_of_every_page(
    site: Path, pages: dict[str, _Read]
) -> None:
    told = (site / "search-index.js").read_text(encoding="utf-8")
    sections = json.loads(told.removeprefix("const SECTIONS = ").rstrip().rstrip(";"))
    assert {section[0] for section in sections} == set(page_ids())
    for page, anchor, *_ in sections:
        assert anchor in pages[f"{page}.html"].ids
