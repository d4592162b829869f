"""Small makers of labels, lines and buttons in the style sheet's roles."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain_text

# Wider than the icon, which sits in its middle: that is the gap to the text.
ICON_SIZE = QSize(22, 16)
_LONGEST_WORD = 80
"""Average letters of a word, or a path, that has its label's width; one in an error may have
thousands."""


class _Wrapped(QLabel):
    """Text over several lines, which no single word makes wider than the window."""

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), _LONGEST_WORD * self.fontMetrics().averageCharWidth()),
                     hint.height())  # fmt: skip


def label(text: str, role: str = "", *, wrap: bool = False, selectable: bool = False) -> QLabel:
    """Return a plain-text label in a role: title, heading, muted, small, error, warning, figure.

    One whose text is a term of the glossary tells what it means when it is hovered over.
    """
    widget = _Wrapped(text) if wrap else QLabel(text)
    widget.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        widget.setProperty("role", role)
    widget.setWordWrap(wrap)
    if selectable:
        widget.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    explain_text(widget)
    return widget


def push_button(
    text: str,
    callback: Callable[[], object] | None = None,
    *,
    icon: str = "",
    primary: bool = False,
    flat: bool = False,
    tip: str = "",
) -> QPushButton:
    """Return a button that calls `callback`; the primary one is the one to press next."""
    button = QPushButton(text)
    if primary:
        button.setProperty("primary", "true")
    if flat:
        button.setProperty("flat", "true")
        if icon and not text:
            button.setProperty("bare", "true")
    if icon:
        icons.set_icon(button, icon, "accent_text" if primary else "text")
        button.setIconSize(ICON_SIZE)
    if tip:
        button.setToolTip(plain_tip(tip))
    button.setAccessibleName(text or tip)
    explain_text(button)
    button.setAutoDefault(False)
    if callback is not None:
        button.clicked.connect(lambda _checked=False: callback())
    return button


def line() -> QFrame:
    """Return a hairline."""
    frame = QFrame()
    frame.setProperty("line", "true")
    return frame


def set_property(widget: QWidget, name: str, value: str) -> None:
    """Set a property the style sheet selects by, and dress the widget again."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


class IconLabel(QLabel):
    """An icon that is not a button."""

    def __init__(self, name: str, role: str = "text", size: int = 20) -> None:
        super().__init__()
        self._size = size
        icons.set_icon(self, name, role)

    def setIcon(self, icon: QIcon) -> None:
        self.setPixmap(icon.pixmap(self._size, self._size))
