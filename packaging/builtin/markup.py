"""Plain text out of the two kinds of HTML page that the sources hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

HEADINGS = {"h1": "# ", "h2": "# ", "h3": "## ", "h4": "### ", "h5": "### "}


class _BlockParser(HTMLParser):
    """Collects text block by block, in the order in which the blocks open."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.open: list[tuple[str, int, str]] = []  # tag, its block (-1: none), kind
        self.skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("br", "img", "hr", "meta", "link", "input"):
            return
        classes = (dict(attrs).get("class") or "").split()
        kind = ""
        if tag == "pre":
            kind = "pre"
        elif tag in HEADINGS:
            kind = tag
        elif (tag == "div" and "para" in classes) or (tag == "p" and "title" in classes):
            kind = "para"
        elif "docnav" in classes or tag in ("script", "style", "head"):
            kind = "skip"
            self.skip += 1
        block = -1
        if kind and kind != "skip" and not self.skip:
            block = len(self.blocks)
            self.blocks.append("")
        self.open.append((tag, block, kind))

    def handle_endtag(self, tag: str) -> None:
        while self.open:
            name, block, kind = self.open.pop()
            self.skip -= kind == "skip"
            if block >= 0:
                self.blocks[block] = self._finish(self.blocks[block], kind)
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if self.skip:
            return
        for _, block, _ in reversed(self.open):
            if block >= 0:
                self.blocks[block] += data
                return

    @staticmethod
    def _finish(text: str, kind: str) -> str:
        text = text.replace("\xa0", " ").replace("\u200b", "")
        if kind == "pre":
            return "```\n" + text.strip("\n") + "\n```" if text.strip() else ""
        line = " ".join(text.split())
        line = re.sub(r"^(\d+\.)+(\d+\.?)? ", "", line)
        return HEADINGS.get(kind, "") + line if line else ""


def html_blocks(page: str) -> list[str]:
    """Headings (with #), paragraphs and listings (fenced) of a book page, one string each.

    Empty blocks are kept, so that translations of a page stay aligned block by block.
    """
    parser = _BlockParser()
    parser.feed(page[page.find("<body") :])
    return parser.blocks


def udhr_articles(page: str) -> Iterator[tuple[str, str]]:
    """("preamble" or "article-N", text) for each part of a declaration's page."""
    header = re.search(r"<header>(.*?)</header>", page, re.S)
    if header:
        yield "preamble", _lines(header.group(1))
    for number, body in re.findall(r'<article data-number="(\d+)">(.*?)</article>', page, re.S):
        yield f"article-{number}", _lines(body)


def _lines(fragment: str) -> str:
    parser = _LineParser()
    parser.feed(fragment)
    return "\n".join(line for line in map(str.strip, parser.lines) if line)


class _LineParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h2", "h3", "p", "li"):
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if self.lines:
            self.lines[-1] += " ".join(data.split())
