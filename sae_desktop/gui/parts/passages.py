"""What a view of highlighted tokens shows: passages, and headings above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt

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


class Block:
    """A heading or a passage with its place in the view."""

    def __init__(self, item: Heading | Passage) -> None:
        self.item = item
        self.paragraph = (
            TokenParagraph(item.tokens, item.activations, item.peak, item.starts, item.read)
            if isinstance(item, Passage)
            else None
        )
        self.top = 0.0
        self.height = 0.0
