"""Which architectures the settings of a training offer, by what is trained."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox

from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.train.set_draft import usual_architecture
from sae_desktop.training.architecture_info import ArchitectureInfo
from sae_desktop.training.config import (
    Target,
)
from sae_desktop.words.training_catalogue import architectures_for, known_architectures


class ArchitectureOffers:
    """Fills the field of the architecture, and keeps what a person has chosen."""

    def __init__(self, box: QComboBox) -> None:
        self._box = box
        self.known = known_architectures([])
        self._usual = self.wanted = usual_architecture(None)
        box.activated.connect(self._on_activated)

    def _on_activated(self, _index: int) -> None:
        self.wanted = self._box.currentData()

    def named(self, name: str) -> ArchitectureInfo:
        """Return what is known of an architecture; of an unknown one, what the first is."""
        return next((info for info in self.known if info.name == name), self.known[0])

    def show(self, infos: Sequence[ArchitectureInfo]) -> None:
        """Take over what the engine told of."""
        self.known = known_architectures(list(infos))

    def offer(self, target: Target, kind: SetKind | None, only: Collection[str] = ()) -> None:
        """Offer what a target can be trained as, and choose what was chosen, else the usual one.

        `kind`: of the set that is trained, if it is one. `only`: what a dictionary can be trained
        further as, where one is.
        """
        offered = architectures_for(target, self.known)
        offered = [info for info in offered if not only or info.name in only]
        usual, before = usual_architecture(kind), self._usual
        self._usual = usual
        if self.wanted == before:
            self.wanted = usual
        box = self._box
        there = [box.itemData(place) for place in range(box.count())]
        if there == [info.name for info in offered] and usual == before:
            return
        with QSignalBlocker(box):
            box.clear()
            for info in offered:
                box.addItem(info.title, info.name)
                tip = plain_tip(info.summary)
                box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            box.setCurrentIndex(max(box.findData(self.wanted), 0))
