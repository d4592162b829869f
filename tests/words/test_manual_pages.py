"""The manual's pages: what they link to is there, what they name is in the program."""

from __future__ import annotations

import ast
import functools
import re
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from sae_desktop.words.glossary import entries, find
from sae_desktop.words.manual.contents import (
    MADE,
    Manual,
    chapters,
    page_ids,
    picture_path,
)
from sae_desktop.words.manual.page import Page, anchor_of, title_of
from sae_desktop.words.manual.search import search

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "resources" / "manual"
WRITTEN = [page for page in page_ids() if page not in (*MADE, "glossary")]
_MOST_BYTES = 350 * 1024


def _page(text: str) -> Page:
    return Page("one", title_of(text), text)


# ---------------------------------------------------------------------- reading pages
def test_sections__have_their_heading_anchor_and_plain_text() -> None:
    page = _page(
        "# A *page*\n\nFirst `code`.\n\n## The part\n\n- one\n- [two](x.md)\n\n## The part\n"
    )
    assert [(s.anchor, s.title, s.level) for s in page.sections] == [
        ("a-page", "A page", 1),
        ("the-part", "The part", 2),
        ("the-part-2", "The part", 2),
    ]
    assert page.sections[0].text == "First code."
    assert page.sections[1].text == "one\ntwo"


def test_html__has_anchors_and_leads_where_it_is_told() -> None:
    page = _page("# A\n\n[there](b.md#c), [window](window:train) and ![what](p.webp) <b>\n")
    told = page.html(
        lambda target: None if target.startswith("window:") else f"{target}!",
        lambda file: f"<img {file}>",
    )
    assert '<h1 id="a">' in told
    assert '<a href="b.md#c!">there</a>, window and <img p.webp> &lt;b&gt;' in told


def test_page__tells_its_links_pictures_controls_and_code() -> None:
    page = _page("# A\n\n[b](c.md) ![told](p.png) **Start *it*** x\n\n```sh run\nls\n```\n")
    assert page.links() == ["c.md"]
    assert page.pictures() == [("p.png", "told")]
    assert page.controls() == ["Start it"]
    assert page.code("sh") == ["ls\n"]
    assert page.code("python") == []


# ---------------------------------------------------------------------- what ships
def test_contents__name_every_page_once_and_no_other() -> None:
    assert len(set(page_ids())) == len(page_ids())
    assert {path.stem for path in FOLDER.glob("*.md")} == set(WRITTEN)
    assert set(MADE) <= set(page_ids())
    assert all(chapter.pages for chapter in chapters())


def test_made_pages__do_not_lie_on_the_disk_where_they_could_be_stale() -> None:
    assert not [page for page in (*MADE, "glossary") if (FOLDER / f"{page}.md").exists()]
    with pytest.raises(KeyError):
        Manual().page("commands")
    assert Manual({"commands": "# C\n\nx"}).page("commands").sections[0].text == "x"


def test_folder__is_small_and_holds_nothing_that_is_not_shown() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= _MOST_BYTES
    shown = {file for page in WRITTEN for file, _ in Manual().page(page).pictures()}
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.webp")}
    assert there == shown


@pytest.mark.parametrize("page", WRITTEN)
def test_page__begins_with_its_heading_and_has_no_level_left_out(page: str) -> None:
    sections = Manual().page(page).sections
    assert sections[0].level == 1
    levels = [section.level for section in sections]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("page", WRITTEN)
def test_pictures__open_and_are_told_in_words(page: str) -> None:
    for file, told in Manual().page(page).pictures():
        assert len(told.split()) >= 3, file
        with Image.open(picture_path(file)) as picture:
            picture.verify()


@pytest.mark.parametrize("page", [*WRITTEN, "glossary"])
def test_links__lead_somewhere(page: str) -> None:
    manual = Manual()
    for target in manual.page(page).links():
        kind, colon, name = target.partition(":")
        if colon:
            assert kind in ("window", "action", "term", "https"), target
            assert kind != "term" or find(name) is not None, target
            continue
        other, _, anchor = target.partition("#")
        other = other.removesuffix(".md") or page
        assert other in page_ids(), target
        if anchor and other not in MADE:
            assert anchor in {s.anchor for s in manual.page(other).sections}, target


def test_glossary__has_every_term() -> None:
    titles = [section.title for section in Manual().page("glossary").sections]
    assert titles == ["Glossary", *(entry.term for entry in entries())]
    anchors = [section.anchor for section in Manual().page("glossary").sections]
    assert anchors[1:] == [anchor_of(entry.term) for entry in entries()], "two terms share one"


# ---------------------------------------------------------------------- names of controls
@functools.cache
def _said() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Return what the program's code says whole, and what it says with something put in."""
    whole: set[str] = set()
    filled: list[re.Pattern[str]] = []
    for path in (ROOT / "sae_desktop").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(_bare(node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else None for p in node.values]
                if sum(c.isalpha() for part in parts for c in str(part or "")) >= 4:
                    filled.append(
                        re.compile("".join(".+" if p is None else re.escape(p) for p in parts))
                    )
    return frozenset(whole), tuple(filled)


def _bare(text: str) -> str:
    return " ".join(text.replace("&", "").split()).rstrip("…:")


@pytest.mark.parametrize("page", WRITTEN)
def test_what_stands_in_bold__is_said_by_the_program(page: str) -> None:
    whole, filled = _said()
    for control in Manual().page(page).controls():
        for name in control.split(" › "):
            bare = _bare(name)
            known = bare in whole or any(one.fullmatch(bare) for one in filled)
            assert known, f"{name!r} is said nowhere"


# ---------------------------------------------------------------------- spelling
@pytest.mark.parametrize("page", WRITTEN)
def test_page__keeps_to_the_spellings_of_contributing(page: str) -> None:
    from test_words import spellings

    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", Manual().page(page).text, flags=re.DOTALL)
    for right, wrong in spellings():
        for pattern in wrong:
            found = pattern.search(prose)
            around = found and prose[found.start() - 30 : found.end() + 20]
            assert found is None, f"{around!r}: write {right}"


# ---------------------------------------------------------------------- search
def test_search__answers_with_headings_first_and_a_piece_of_the_text() -> None:
    page = _page(
        "# Doors\n\nA window is none.\n\n## Windows\n\nGlass.\n\n## Walls\n\n"
        + "Bricks and mortar. " * 20
        + "One has a window in it.\n"
    )
    hits = search("window", page.sections)
    assert [hit.section.title for hit in hits] == ["Windows", "Doors", "Walls"]
    assert all(h.snippet[slice(*h.found)].casefold() == "window" for h in hits[1:])
    assert hits[2].snippet.startswith("…")
    assert search("window glass", page.sections)[0].section.title == "Windows"
    assert search("zebra", page.sections) == search("  ", page.sections) == []


def test_search__takes_a_few_letters_for_headings_alone() -> None:
    sections = _page("# Go\n\nxy\n\n## Xylem\n\nz\n").sections
    assert [hit.section.title for hit in search("xy", sections)] == ["Xylem"]
