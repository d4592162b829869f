"""A page of the manual: Markdown, read once into sections and rendered as HTML."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

Target = Callable[[str], str | None]
"""What a link leads to is turned into where it leads; None: its text stands there without it."""

_NOT_IN_ANCHORS = re.compile(r"[^\w]+")


class Section(NamedTuple):
    """A heading of a page, and what stands below it until the next one."""

    page: str
    anchor: str
    title: str
    level: int
    """1: the page's own heading."""
    text: str
    """Without marks; what stands in cells and lists in one line each."""


class Page(NamedTuple):
    """One page; `text` is Markdown and begins with its heading."""

    id: str
    title: str
    text: str

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections in their order."""
        return _sections(self.id, self.text)

    def html(self, target: Target, picture: Callable[[str], str]) -> str:
        """Return the page as HTML; `picture` returns a picture's element for its file.

        Each heading has its anchor as id.
        """
        tokens = _tokens(self.text)
        for token in tokens:
            token.children = _linked(token.children or [], target) if token.children else None
        parser = _parser()
        parser.renderer.rules["image"] = lambda inside, at, _options, _env: picture(  # type: ignore[attr-defined]
            str(inside[at].attrs["src"])
        )
        return str(parser.renderer.render(tokens, parser.options, {}))

    def links(self) -> list[str]:
        """Return what the page links to, as written."""
        return [unquote(str(t.attrs["href"])) for t in _inline(self.text) if t.type == "link_open"]

    def pictures(self) -> list[tuple[str, str]]:
        """Return (file, what it shows in words) of each picture."""
        return list(_pictures(self.text))

    def controls(self) -> list[str]:
        """Return what stands in bold: the names of controls of the window."""
        found, inside = [], False
        for token in _inline(self.text):
            if token.type == "strong_open":
                inside = True
                found.append("")
            elif token.type == "strong_close":
                inside = False
            elif inside:
                found[-1] += token.content
        return found

    def code(self, kind: str) -> list[str]:
        """Return the blocks of code whose first line begins with a kind, such as “sh”."""
        return [
            token.content
            for token in _tokens(self.text)
            if token.type == "fence" and (token.info.split() or [""])[0] == kind
        ]


def title_of(text: str) -> str:
    """Return a page's own heading."""
    return text.partition("\n")[0].removeprefix("# ").strip()


def anchor_of(title: str) -> str:
    """Return what a heading is linked by."""
    return _NOT_IN_ANCHORS.sub("-", title.casefold()).strip("-") or "section"


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


@functools.cache
def _pictures(text: str) -> tuple[tuple[str, str], ...]:
    """Return the pictures of a text, which a window asks for whenever it changes its size."""
    found = (t for t in _inline(text) if t.type == "image")
    return tuple((str(t.attrs["src"]), t.content) for t in found)


def _tokens(text: str) -> list[Token]:
    """Return the tokens of a page, its headings with their anchors."""
    tokens = _parser().parse(text)
    taken: dict[str, int] = {}
    for token, inside in pairwise(tokens):
        if token.type == "heading_open":
            anchor = anchor_of(_plain(inside))
            taken[anchor] = taken.get(anchor, 0) + 1
            number = "" if taken[anchor] == 1 else f"-{taken[anchor]}"
            token.attrSet("id", f"{anchor}{number}")
    return tokens


def _inline(text: str) -> Iterator[Token]:
    for token in _tokens(text):
        yield from token.children or []


def _plain(token: Token) -> str:
    """Return what an inline token reads as."""
    return "".join(
        " " if child.type in ("softbreak", "hardbreak") else child.content
        for child in token.children or []
        if child.type != "image"
    )


def _linked(children: list[Token], target: Target) -> list[Token]:
    kept, open_links = [], []
    for child in children:
        if child.type == "link_open":
            href = target(str(child.attrs["href"]))
            open_links.append(href is not None)
            if href is None:
                continue
            child.attrSet("href", href)
        elif child.type == "link_close" and not open_links.pop():
            continue
        kept.append(child)
    return kept


@functools.lru_cache(maxsize=64)
def _sections(page: str, text: str) -> tuple[Section, ...]:
    found: list[Section] = []
    lines: list[str] = []
    tokens = _tokens(text)
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            if found:
                found[-1] = found[-1]._replace(text="\n".join(lines))
            lines = []
            title = _plain(tokens[at + 1])
            found.append(Section(page, str(token.attrs["id"]), title, int(token.tag[1:]), ""))
        elif token.type == "inline" and tokens[at - 1].type != "heading_open":
            lines.append(_plain(token))
        elif token.type in ("fence", "code_block"):
            lines.append(token.content.rstrip())
    if found:
        found[-1] = found[-1]._replace(text="\n".join(lines))
    return tuple(found)
