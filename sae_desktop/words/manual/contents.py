"""Which pages the manual has, in their order, and where their texts come from."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sae_desktop.resources import resource_path
from sae_desktop.words.manual.glossary_page import glossary_page
from sae_desktop.words.manual.page import Page, Section, title_of

FOLDER = "manual"
"""Of the resources."""
FIRST = "start"
"""The page one is shown without asking for another."""
MADE = {
    "commands": "The command line",
    "settings": "Settings of jobs",
    "formats": "How other libraries’ files are read",
    "licences": "Licences",
}
"""Pages that are made from the program when they are asked for, so that none can be stale."""
_GLOSSARY = "glossary"


class Chapter(NamedTuple):
    """Some pages under a heading."""

    title: str
    pages: tuple[str, ...]


class Manual:
    """The pages that ship, and of those that are made, the ones that were given."""

    def __init__(self, made: Mapping[str, str] | None = None) -> None:
        """`made`: id of a page that is made → its Markdown."""
        self._made = dict(made or {})

    def add(self, page: str, text: str) -> None:
        """Take the text of a page that is made."""
        self._made[page] = text

    def has(self, page: str) -> bool:
        """Return whether a page can be read now."""
        return page in self._made or (page not in MADE and page in page_ids())

    def page(self, page: str) -> Page:
        """Return a page. Raises KeyError where there is none, or it was not made yet."""
        if page in MADE:
            return Page(page, MADE[page], self._made[page])
        if page not in page_ids():
            raise KeyError(page)
        return _shipped(page)

    def title(self, page: str) -> str:
        """Return what a page is called, made yet or not."""
        return MADE.get(page) or self.page(page).title

    def sections(self) -> list[Section]:
        """Return the sections of all pages that can be read now, in their order."""
        there = (page for page in page_ids() if self.has(page))
        return [section for page in there for section in self.page(page).sections]


@functools.cache
def chapters() -> tuple[Chapter, ...]:
    """Return the chapters in their order."""
    table = tomllib.loads((_folder() / "contents.toml").read_text(encoding="utf-8"))
    return tuple(Chapter(one["title"], tuple(one["pages"])) for one in table["chapter"])


@functools.cache
def page_ids() -> tuple[str, ...]:
    """Return the ids of all pages in their order."""
    return tuple(page for chapter in chapters() for page in chapter.pages)


def picture_path(file: str) -> Path:
    """Return where a picture of a page lies, such as `pictures/train.webp`."""
    return _folder() / file


def _folder() -> Path:
    return resource_path(FOLDER)


@functools.cache
def _shipped(page: str) -> Page:
    if page == _GLOSSARY:
        text = glossary_page()
    else:
        text = (_folder() / f"{page}.md").read_text(encoding="utf-8")
    return Page(page, title_of(text), text)
