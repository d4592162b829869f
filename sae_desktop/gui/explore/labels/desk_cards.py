"""What the reading desk shows of a feature, read ahead beside the window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.names_file import FeatureName
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.state.background import Background

AHEAD = 3
"""Features read ahead: nobody decides on more while the first of them is read."""
_HELD = 32
_RAISED = 8


@dataclass(frozen=True, eq=False)
class FeatureCard:
    """One feature as the desk shows it."""

    feature: int
    contexts: list[Context]
    maximum: float
    name: FeatureName | None
    """What it is called by statistics."""
    raised: tuple[str, ...]
    """Tokens it raises most, the first ones first; empty for an index made without a model."""


def read_card(index: FeatureIndex, feature: int) -> FeatureCard:
    """Read all that the desk shows of a feature."""
    return FeatureCard(
        feature,
        index.contexts(feature),
        float(index.columns["max_activation"][feature]),
        index.name(feature),
        tuple(token for token, _ in index.top_logits(feature)[:_RAISED]),
    )


class _Ahead:
    """An index opened once more, for a thread of its own: a reader is not shared by two."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index: FeatureIndex | None = None

    def read(self, features: list[int]) -> list[FeatureCard]:
        if self._index is None:
            self._index = FeatureIndex(self._path)
        return [read_card(self._index, feature) for feature in features]


class CardReader(QObject):
    """Gives cards at once: those near the present feature are read before they are asked for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._index: FeatureIndex | None = None
        self._ahead: _Ahead | None = None
        self._held: dict[int, FeatureCard] = {}
        self._background = Background(self)
        self._background.answered.connect(self._on_read)
        # What cannot be read ahead is read, and its fault told, when it is shown.
        self._background.refused.connect(lambda _refused: None)

    def set_index(self, index: FeatureIndex | None) -> None:
        """Read from another index."""
        self._index = index
        self._ahead = None if index is None else _Ahead(index.path)
        self._held = {}

    def card(self, feature: int) -> FeatureCard:
        """Return a feature's card. Raises UserError where the index cannot be read."""
        assert self._index is not None
        found = self._held.get(feature)
        return found if found is not None else self._hold(read_card(self._index, feature))

    def holds(self, feature: int) -> bool:
        return feature in self._held

    def read_ahead(self, features: list[int]) -> None:
        """Read these beside the window, where they are not here yet."""
        ahead, wanted = self._ahead, [f for f in features if f not in self._held]
        if ahead is not None and wanted:
            self._background.run(ahead, lambda: ahead.read(wanted))

    def _hold(self, card: FeatureCard) -> FeatureCard:
        while len(self._held) >= _HELD:
            del self._held[next(iter(self._held))]
        self._held[card.feature] = card
        return card

    def _on_read(self, answer: tuple[object, list[FeatureCard]]) -> None:
        ahead, cards = answer
        if ahead is self._ahead:
            for card in cards:
                self._hold(card)
