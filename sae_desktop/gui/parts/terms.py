"""Widgets that show a term of the glossary: their hover sentences, and what F1 opens at them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QDockWidget,
    QGroupBox,
    QHeaderView,
    QLabel,
    QTabBar,
    QTableView,
    QTreeView,
    QTreeWidget,
    QWidget,
)

from sae_desktop.gui.parts.plain_text import plain_tip, show_tip
from sae_desktop.words.glossary import find, terms_in
from sae_desktop.words.terms.entry import Entry

_WIDEST = 72
"""Characters in a line of a tip."""
_TERMS = "terms"
_MOST_WORDS = 6
"""What is longer explains itself."""
_PARENTS = 6
"""How far up from a widget what it is about is looked for."""


def term_tip(found: Sequence[Entry], *, named: bool) -> str:
    """Return the hover sentences of entries; `named`: each behind its term."""
    lines = [f"{entry.term}: {entry.hover}" if named else entry.hover for entry in found]
    return "\n".join(textwrap.fill(line, _WIDEST) for line in [*lines, "F1 tells more."])


def tip_of(text: str) -> str:
    """Return the tip of a short text, such as the head of a column; empty without a term in it."""
    found = _told_by(text)
    return term_tip(found, named=_is_named(text, found)) if found else ""


def _is_named(text: str, found: Sequence[Entry]) -> bool:
    """Return whether a tip must name its terms: the text is not just one of them."""
    return [text.casefold()] != [entry.term.casefold() for entry in found]


def _told_by(text: str) -> list[Entry]:
    """Return the terms in a text that does not explain itself, as a sentence does."""
    is_short = len(text.split()) <= _MOST_WORDS and not text.rstrip().endswith((".", "?"))
    return terms_in(text) if is_short else []


def explain(widget: QWidget, *terms: str) -> None:
    """Have a widget tell of terms: when it is hovered over, read out, or asked by F1.

    What it tells already of itself stays; F1 then opens at the terms.
    """
    found = [entry for entry in map(find, terms) if entry is not None]
    if not found:
        return
    has_own = widget.toolTip() and not widget.property(_TERMS)
    has_own_words = widget.accessibleDescription() and not widget.property(_TERMS)
    widget.setProperty(_TERMS, [entry.term for entry in found])
    if not has_own:
        own = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
        widget.setToolTip(plain_tip(term_tip(found, named=_is_named(own, found))))
    if not has_own_words:
        widget.setAccessibleDescription(" ".join(entry.hover for entry in found))


def explain_text(widget: QLabel | QAbstractButton) -> None:
    """Explain a widget by the terms in its text, unless that is a sentence."""
    found = _told_by(widget.text().replace("&", ""))
    explain(widget, *(entry.term for entry in found))


def set_heads(tree: QTreeWidget, heads: Sequence[str]) -> None:
    """Give a tree heads that tell what they are."""
    tree.setHeaderLabels(heads)
    for column, head in enumerate(heads):
        tree.headerItem().setToolTip(column, plain_tip(tip_of(head)))


def explain_all(root: QWidget) -> None:
    """Explain what Qt itself has made of texts in a widget, such as the labels of a form."""
    found: list[QLabel | QAbstractButton] = list(root.findChildren(QLabel))
    for widget in found + list(root.findChildren(QAbstractButton)):
        if not widget.toolTip():
            explain_text(widget)


class TabTips(QObject):
    """Tells over the tabs of docks what they show; Qt would repeat their names."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is not QEvent.Type.ToolTip or not isinstance(event, QHelpEvent):
            return False
        if not isinstance(watched, QTabBar):
            return False
        tip = tip_of(watched.tabText(watched.tabAt(event.pos())))
        show_tip(event.globalPos(), tip, watched)
        return bool(tip)


def terms_at(widget: QWidget | None) -> list[Entry]:
    """Return what a widget is about: by its own words, or the nearest around it."""
    for _ in range(_PARENTS):
        if widget is None or widget.isWindow():
            return []
        found = [entry for text in _words(widget) for entry in terms_in(text)]
        if found:
            return list(dict.fromkeys(found))
        widget = widget.parentWidget()
    return []


def _words(widget: QWidget) -> Iterator[str]:
    """Yield what a widget says of itself, the most telling first."""
    yield from widget.property(_TERMS) or []
    if isinstance(widget, QLabel | QAbstractButton):
        yield widget.text().replace("&", "")
    elif isinstance(widget, QTabBar):
        yield widget.tabText(widget.currentIndex())
    elif isinstance(widget, QComboBox):
        yield widget.currentText()
    elif isinstance(widget, QGroupBox):
        yield widget.title()
    elif isinstance(widget, QDockWidget):
        yield widget.windowTitle()
    elif isinstance(widget, QHeaderView):
        yield from _heads(widget.parentWidget())
    elif isinstance(widget, QAbstractItemView):
        yield from _heads(widget)
    yield widget.accessibleName()
    yield from (told.text() for told in widget.findChildren(QLabel) if not told.isHidden())


def _heads(view: QWidget | None) -> Iterator[str]:
    """Yield the head of the column that a table is at, or that the pointer is over."""
    if not isinstance(view, QTableView | QTreeView) or view.model() is None:
        return
    header = view.horizontalHeader() if isinstance(view, QTableView) else view.header()
    place = header.mapFromGlobal(header.cursor().pos())
    over = header.logicalIndexAt(place) if header.rect().contains(place) else -1
    column = over if over >= 0 else view.currentIndex().column()
    if column >= 0:
        head = view.model().headerData(column, Qt.Orientation.Horizontal)
        yield str(head or "").rstrip(" ▴▾")
