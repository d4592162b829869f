"""What a view of highlighted tokens shows: passages, and headings above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QPainter

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.picture_gallery import Gallery, Pictures
from sae_desktop.gui.parts.token_layout import TokenParagraph


@dataclass(frozen=True)
class Heading:
    """A line above passages; `note` stands quietly at its right."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Passage:
    """T tokens with activations (T,); `peak` is underlined, `note` says where it is from."""

    tokens: Sequence[str]
    activations: npt.ArrayLike
    peak: int | None = None
    note: str = ""
    starts: tuple[int, ...] = ()
    """Tokens at which a window begins."""
    read: tuple[int, int] | None = None
    """First token and one past the last that were read together; None: all of them."""


@dataclass(frozen=True)
class HoveredToken:
    """The token under the pointer."""

    text: str
    activation: float


BlockItem = Heading | Passage | Pictures
"""What a view shows below one another."""


class Block:
    """A heading, a passage or pictures with their place in the view."""

    def __init__(self, item: BlockItem) -> None:
        self.item = item
        self.gallery = Gallery(item) if isinstance(item, Pictures) else None
        self.paragraph = (
            TokenParagraph(item.tokens, item.activations, item.peak, item.starts, item.read)
            if isinstance(item, Passage)
            else None
        )
        self.top = 0.0
        self.height = 0.0


def paint_heading(painter: QPainter, row: QRect, item: Heading, font: QFont, small: QFont) -> None:
    """Draw a heading, its note quietly at the right."""
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    painter.setFont(bold)
    painter.setPen(theme.palette().text)
    middle = Qt.AlignmentFlag.AlignVCenter
    painter.drawText(row, Qt.AlignmentFlag.AlignLeft | middle, item.text)
    painter.setFont(small)
    painter.setPen(theme.palette().muted_text)
    right = row.adjusted(0, 0, -4, 0)
    painter.drawText(right, Qt.AlignmentFlag.AlignRight | middle, item.note)
