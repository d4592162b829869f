"""The texts of a feature on the reading desk: from the strongest firings to the weakest."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QScrollArea

from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.gui.explore.context_blocks import context_blocks, plain_blocks
from sae_desktop.gui.explore.labels.desk_cards import FeatureCard
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.context_view import ContextView
from sae_desktop.gui.parts.passages import Heading

_PAGE = 0.8
"""Of the height, how far Space scrolls."""


class DeskText(QScrollArea):
    """Contexts over all intervals of activation; those of one piece of evidence where asked."""

    def __init__(self) -> None:
        super().__init__()
        self.view = ContextView()
        self.view.setAccessibleName("Texts the feature fires in")
        self.setWidget(self.view)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setProperty("ground", "surface")
        self._card: FeatureCard | None = None
        self._info: IndexInfo | None = None

    def show_card(self, card: FeatureCard, info: IndexInfo) -> None:
        """Show a feature’s texts from the top."""
        self._card, self._info = card, info
        self.view.set_scale(ColourScale(card.maximum, True))
        self._show_all()

    def show_rows(self, title: str, rows: Collection[int]) -> int:
        """Show only the contexts whose tokens are at these rows; return how many there are.

        Where none of them was kept, all stay.
        """
        assert self._card is not None
        wanted = set(rows)
        found = [c for c in self._card.contexts if c.row in wanted]
        if found:
            heading = Heading(title, f"{len(found)} of {len(self._card.contexts)}")
            self.view.set_blocks([heading, *plain_blocks(found, self._info, origins=True)])
            self.verticalScrollBar().setValue(0)
        return len(found)

    def show_all(self) -> None:
        """Show all intervals again."""
        if self._card is not None:
            self._show_all()

    def _show_all(self) -> None:
        card, info = self._card, self._info
        assert card is not None
        assert info is not None
        blocks, _ = context_blocks(card.contexts, info, short=True)
        if not blocks:
            fires = card.maximum > 0.0
            blocks = [Heading("No contexts were kept." if fires else "It never fired on the text.")]
        self.view.set_blocks(blocks)
        self.verticalScrollBar().setValue(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll by keys; the desk gets all others."""
        if event.key() == Qt.Key.Key_Space:
            back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            bar = self.verticalScrollBar()
            step = round(self.viewport().height() * _PAGE)
            bar.setValue(bar.value() + (-step if back else step))
        else:
            super().keyPressEvent(event)
