"""Shows one page of the manual: in the theme's colours, its pictures no wider than the view."""

from __future__ import annotations

import html
import re

from PySide6.QtCore import QSize, QTimer, QUrl, Signal
from PySide6.QtGui import QImageReader, QResizeEvent, QTextCursor, QTextDocument, QTextOption
from PySide6.QtWidgets import QApplication, QTextBrowser

from sae_desktop.gui.parts import theme
from sae_desktop.words.manual.contents import picture_path
from sae_desktop.words.manual.page import Page

_MARGIN = 24
_SETTLED_MS = 80
_TALL = 1.45
"""Of lines, to their letters."""


class PageView(QTextBrowser):
    """Follows no link by itself: `linkChosen` says which was pressed."""

    linkChosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Page of the manual")
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.document().setDocumentMargin(_MARGIN)
        self.anchorClicked.connect(lambda url: self.linkChosen.emit(url.toString()))
        self._page: Page | None = None
        self._drawn_at = 0
        self._settle = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._settle.timeout.connect(self._draw_again)
        theme.manager().themeChanged.connect(self._draw_again)

    @property
    def page(self) -> Page | None:
        return self._page

    def show_page(self, page: Page, anchor: str = "", place: int = 0) -> None:
        """Show a page at a heading, or scrolled to a place in pixels."""
        self._page = page
        self._draw()
        self.verticalScrollBar().setValue(place)
        if anchor:
            self.scrollToAnchor(anchor)

    def say(self, text: str) -> None:
        """Show a sentence where a page would be."""
        self._page = None
        self.document().setDefaultStyleSheet(_style())
        self.setHtml(f"<p>{html.escape(text)}</p>")

    def find_words(self, words: str, *, back: bool = False, from_start: bool = False) -> bool:
        """Mark the next place of some words, from the other end after the last; False: none."""
        if not words:
            self.moveCursor(QTextCursor.MoveOperation.Start)
            return True
        if from_start:
            cursor = self.textCursor()
            cursor.setPosition(cursor.selectionStart())
            self.setTextCursor(cursor)
        flags = QTextDocument.FindFlag.FindBackward if back else QTextDocument.FindFlag(0)
        if self.find(words, flags):
            return True
        before = self.textCursor()
        self.moveCursor(QTextCursor.MoveOperation.End if back else QTextCursor.MoveOperation.Start)
        if self.find(words, flags):
            return True
        before.clearSelection()
        self.setTextCursor(before)
        return False

    # ------------------------------------------------------------------ drawing
    def _draw(self) -> None:
        if self._page is None:
            return
        self._drawn_at = self.viewport().width()
        self.document().setDefaultStyleSheet(_style())
        self.setHtml(_dressed(self._page.html(lambda target: target, self._picture)))

    def _draw_again(self) -> None:
        place = self.verticalScrollBar().value()
        self._draw()
        self.verticalScrollBar().setValue(place)

    def _picture(self, file: str) -> str:
        path = picture_path(file)
        size = QImageReader(str(path)).size()
        width = min(size.width(), self._room())
        height = round(size.height() * width / max(size.width(), 1))
        source = QUrl.fromLocalFile(str(path)).toString()
        return f'<img src="{html.escape(source)}" width="{width}" height="{height}">'

    def _room(self) -> int:
        return max(self.viewport().width() - 2 * _MARGIN, 120)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        has_pictures = self._page is not None and self._page.pictures()
        if has_pictures and self.viewport().width() != self._drawn_at:
            self._settle.start()

    def sizeHint(self) -> QSize:
        return QSize(680, 520)


def _style() -> str:
    colours, size = theme.palette(), QApplication.font().pointSizeF()
    text, muted, link = (c.name() for c in (colours.text, colours.muted_text, colours.link))
    raised, border = colours.raised.name(), colours.border.name()
    return f"""
        body, p, li, td, th {{ color: {text}; font-size: {size:.1f}pt; }}
        p, li {{ line-height: {_TALL * 100:.0f}%; }}
        h1 {{ font-size: {size * 1.7:.1f}pt; font-weight: 600; margin-bottom: 8px; }}
        h2 {{ font-size: {size * 1.3:.1f}pt; font-weight: 600; margin-top: 20px; }}
        h3 {{ font-size: {size * 1.1:.1f}pt; font-weight: 600; margin-top: 14px; }}
        a {{ color: {link}; text-decoration: none; }}
        code {{ background-color: {raised}; font-family: monospace; }}
        pre {{ font-family: monospace; font-size: {size * 0.95:.1f}pt; }}
        table {{ border-collapse: collapse; }}
        th, td {{ border: 1px solid {border}; padding: 4px 8px; }}
        td p, td pre {{ line-height: 100%; margin: 0; }}
        th {{ background-color: {raised}; text-align: left; }}
        blockquote {{ color: {muted}; }}
    """


_BLOCK = re.compile(r"<pre>(.*?)\n*(</code>)</pre>", re.DOTALL)


def _dressed(told: str) -> str:
    """Return a page's HTML with its blocks of code in boxes, which Qt gives to tables alone."""
    ground = theme.palette().raised.name()
    box = (
        f'<table width="100%" cellpadding="8" style="border: none"><tr>'
        f'<td style="background-color: {ground}; border: none"><pre>\\1\\2</pre></td></tr></table>'
    )
    return _BLOCK.sub(box, told)
