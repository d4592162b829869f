"""The manual: contents and search on the left, the page on the right."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.frame.manual.contents_panel import ContentsPanel
from sae_desktop.gui.frame.manual.find_bar import FindBar
from sae_desktop.gui.frame.manual.made_pages import MadePages
from sae_desktop.gui.frame.manual.page_view import PageView
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.words.manual.contents import FIRST, MADE, page_ids
from sae_desktop.words.manual.page import Page

_SIZE = (980, 680)
_LIST_WIDTH = 256
_LEADS = ("window", "action", "term")
"""Kinds of links that lead into the window."""


class _Place(NamedTuple):
    page: str
    anchor: str = ""
    scrolled: int = 0


class ManualWindow(QDialog):
    """A window of its own: what a link opens in the other one is not hidden by it."""

    leftFor = Signal(str, str)
    """Kind of a link (window, action, term), and the name of what it leads to."""

    def __init__(self, pages: MadePages) -> None:
        super().__init__()
        self.setWindowTitle("Manual")
        self.setWindowFlags(Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
        self.setModal(False)
        self._pages = pages
        self._here: _Place | None = None
        self._before: list[_Place] = []
        self._after: list[_Place] = []
        self.contents = ContentsPanel(pages.manual)
        self.view = PageView()
        self.find_bar = FindBar(self.view)
        self.back = push_button(
            "", self.go_back, icon="arrow-left", flat=True, tip="Back (Alt+Left)"
        )
        self.forward = push_button(
            "", self.go_forward, icon="arrow-right", flat=True, tip="Forward (Alt+Right)"
        )
        self.title = label("", "heading")
        self.find_button = push_button(
            "Find on this page",
            self.find_bar.open,
            icon="magnifying-glass",
            flat=True,
            tip="Ctrl+F",
        )
        self._lay_out()
        self._set_keys()
        self.contents.chosen.connect(self.go_to)
        self.contents.asked.connect(pages.need_for_search)
        self.view.linkChosen.connect(self.follow)
        pages.made.connect(self._on_made)
        pages.failed.connect(self._on_failed)
        self._enable()

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(4)
        for widget in (self.back, self.forward, self.title):
            bar.addWidget(widget)
        bar.addStretch(1)
        bar.addWidget(self.find_button)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(4, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.view, 1)
        column.addWidget(self.find_bar)
        self.contents.setMinimumWidth(180)
        split = QSplitter()
        split.addWidget(self.contents)
        split.addWidget(right)
        split.setChildrenCollapsible(False)
        split.setSizes([_LIST_WIDTH, _SIZE[0] - _LIST_WIDTH])
        split.setStretchFactor(1, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 8, 8, 8)
        whole.addWidget(split)

    def _set_keys(self) -> None:
        for keys, done in (
            ("Alt+Left", self.go_back),
            ("Alt+Right", self.go_forward),
            ("Ctrl+F", self.find_bar.open),
            ("F3", self.find_bar.find_next),
            ("Shift+F3", lambda: self.find_bar.find_next(back=True)),
            ("Ctrl+K", self._search),
            ("F1", self._search),
        ):
            QShortcut(QKeySequence(keys), self, done)

    def present(self, page: str = "", anchor: str = "") -> None:
        """Come to the front, at a page; without one, at what was shown last."""
        if not self.isVisible():
            room = self.screen().availableSize()
            self.resize(min(_SIZE[0], room.width()), min(_SIZE[1], room.height() - 40))
        self.show()
        if page or self._here is None:
            self.go_to(page or FIRST, anchor)
        self.raise_()
        self.activateWindow()
        self.view.setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    # ------------------------------------------------------------------ going somewhere
    def go_to(self, page: str, anchor: str = "") -> None:
        """Show a page at one of its headings, and keep where one was for the way back."""
        if self._here is not None and (page, anchor) != self._here[:2]:
            self._before.append(self._left())
            self._after.clear()
        self._show(_Place(page, anchor))

    def go_back(self) -> None:
        self._walk(self._before, self._after)

    def go_forward(self) -> None:
        self._walk(self._after, self._before)

    def _walk(self, taken: list[_Place], kept: list[_Place]) -> None:
        if taken and self._here is not None:
            kept.append(self._left())
            self._show(taken.pop())

    def _left(self) -> _Place:
        assert self._here is not None
        return self._here._replace(scrolled=self.view.verticalScrollBar().value())

    def _show(self, place: _Place) -> None:
        self._here = place
        if self._pages.manual.has(place.page):
            self._draw(self._pages.manual.page(place.page), place)
        else:
            self.view.say(f"“{MADE[place.page]}” is being made from the program itself…")
            self._pages.need(place.page)
        self.title.setText(self._pages.manual.title(place.page))
        self.contents.mark(place.page)
        self._enable()

    def _draw(self, page: Page, place: _Place) -> None:
        if place.scrolled or self.view.page is not page:
            at_heading = "" if place.scrolled else place.anchor
            self.view.show_page(page, at_heading, place.scrolled)
        elif place.anchor:
            self.view.scrollToAnchor(place.anchor)
        else:
            self.view.verticalScrollBar().setValue(0)

    def _enable(self) -> None:
        self.back.setEnabled(bool(self._before))
        self.forward.setEnabled(bool(self._after))

    def _search(self) -> None:
        self.contents.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.contents.field.selectAll()

    def _on_made(self, page: str) -> None:
        if self._here is not None and self._here.page == page:
            self._show(self._here)
        if self.contents.field.text().strip():
            self.contents.search_again()

    def _on_failed(self, page: str, error: UserError) -> None:
        if self._here is not None and self._here.page == page:
            self.view.say(str(error))

    # ------------------------------------------------------------------ links
    def follow(self, target: str) -> None:
        """Go where a link leads: to a page, a heading, the window, or a site's address."""
        target = unquote(target)
        kind, _, name = target.partition(":")
        if kind in _LEADS:
            self.leftFor.emit(kind, name)
        elif kind == "https":
            QDesktopServices.openUrl(QUrl(target))
        else:
            page, _, anchor = target.partition("#")
            here = self._here.page if self._here is not None else FIRST
            page = page.removesuffix(".md") or here
            if page in page_ids():
                self.go_to(page, anchor)
