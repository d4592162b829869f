"""Text from elsewhere, shown letter for letter.

Where a text looks like HTML, Qt takes it for that: it would read the files and reach the network
shares that a label or a token names.
"""

from __future__ import annotations

import html

from PySide6.QtCore import QPoint
from PySide6.QtGui import Qt
from PySide6.QtWidgets import QToolTip, QWidget

_ISOLATE, _LEFT_TO_RIGHT = "\u2068", "\u200e"
"""Qt lets an isolated text at the beginning turn the rest, unless a mark stands before it."""


def plain_tip(text: str) -> str:
    """Return a text as a tip that shows it as it is."""
    if text.startswith(_ISOLATE):
        text = f"{_LEFT_TO_RIGHT}{text}"
    if not Qt.mightBeRichText(text):
        return text
    return f'<span style="white-space:pre-wrap">{html.escape(text)}</span>'


def joined_tips(*tips: str) -> str:
    """Return tips, each of `plain_tip`, one under another; empty ones are left out."""
    rich = any(Qt.mightBeRichText(tip) for tip in tips)
    return ("<br>" if rich else "\n").join(tip for tip in tips if tip)


def menu_text(text: str) -> str:
    """Return a text as a menu or a button shows it: no letter of it becomes a key."""
    return text.replace("&", "&&")


def show_tip(place: QPoint, text: str, widget: QWidget) -> None:
    """Show a tip at a place of the screen; none for an empty text."""
    QToolTip.showText(place, plain_tip(text), widget)
