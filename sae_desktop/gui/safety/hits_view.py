"""Hits of monitors, each in its context: the tokens lit by their own scores."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.config import Hit
from sae_desktop.words.monitor_text import hit_heading


class HitsView(QScrollArea):
    """Headings and passages, the strongest first or the last first as they are given."""

    def __init__(self, name: str, session: Session) -> None:
        super().__init__()
        self.text = TokenTextView()
        self.text.quantity = "score"
        self.text.setAccessibleName(name)
        self.text.textChosen.connect(session.textRequested)
        self.setWidget(self.text)
        self.setWidgetResizable(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def show_hits(self, hits: Sequence[Hit], *, named: bool = False) -> None:
        """Show hits; `named`: each says which monitor fired."""
        top = max((score for hit in hits for score in hit.scores), default=1.0)
        self.text.set_scale(ColourScale(max(top, 1e-9), logarithmic=False))
        blocks: list[Heading | Passage] = []
        for hit in hits:
            where, score = hit_heading(hit)
            blocks.append(Heading(where, f"{hit.monitor}, {score}" if named else score))
            blocks.append(_passage(hit))
        self.text.set_blocks(blocks)


def _passage(hit: Hit) -> Passage:
    """Return a hit's context; of one that was kept without its tokens, the token alone is lit."""
    if hit.tokens:
        return Passage(hit.tokens, hit.scores)
    return Passage([hit.before, hit.text, hit.after], [0.0, hit.score, 0.0], peak=1)
