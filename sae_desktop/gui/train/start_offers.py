"""The dictionaries of the project that the settings of a training offer to start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox

from sae_desktop.gui.parts.default_mark import fill_field
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.train.site_offers import choose
from sae_desktop.training.config import Target
from sae_desktop.training.run_folder import DictionarySummary
from sae_desktop.training.start_from import architectures_from, taken_over, why_not
from sae_desktop.words.inventory import Inventory
from sae_desktop.words.start_words import NOTHING, TAKEN_OVER, parent_title, start_text
from sae_desktop.words.training_catalogue import matters_to_start

HELD = ("target", "architecture", "features", "lista_step")
"""Fields that the dictionary decides from which a run starts."""


class StartOffers:
    """Fills the field, and holds the fields whose values are taken over."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self._box: QComboBox = fields["start_from"]
        self._parents: dict[str, DictionarySummary] = {}
        self._box.addItem(NOTHING, "")

    def shows(self, field: str, target: Target) -> bool:
        """Whether a field says anything beside the dictionary to start from, or without one."""
        if field == "start_from":
            return bool(self._parents) and matters_to_start(target)
        return not (field == "init" and self.name)

    @property
    def names(self) -> tuple[str, ...]:
        """The dictionaries that a run can start from."""
        return tuple(name for name, parent in self._parents.items() if not why_not(parent))

    @property
    def name(self) -> str:
        """The dictionary to start from; empty for none."""
        return self._box.currentData() or ""

    @property
    def parent(self) -> DictionarySummary | None:
        return self._parents.get(self.name)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Those to choose among; (): all."""
        return architectures_from(self.parent) if self.parent is not None else ()

    @property
    def held(self) -> tuple[str, ...]:
        """Fields whose values are taken over."""
        if self.parent is None:
            return ()
        return tuple(f for f in HELD if f != "architecture" or len(self.architectures) == 1)

    def show(self, inventory: Inventory) -> None:
        """Offer what the project holds now; what cannot be started from is greyed, with the why."""
        items = [*inventory.dictionaries, *(m for one in inventory.sets for m in one.members)]
        found = {i.name: i.summary for i in items if i.complete and i.summary is not None}
        if found == self._parents:
            return
        keep, self._parents = self.name, found
        with QSignalBlocker(self._box):
            self._box.clear()
            self._box.addItem(NOTHING, "")
            for name, parent in found.items():
                self._box.addItem(name, name)
                no = why_not(parent)
                place = self._box.count() - 1
                tip = no or f"{name}: {parent_title(parent)}"
                self._box.setItemData(place, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
                model = self._box.model()
                if no and isinstance(model, QStandardItemModel):
                    model.item(place).setEnabled(False)
            self._box.setCurrentIndex(max(self._box.findData(keep), 0))

    def take_over(self) -> None:
        """Put what is taken over into the fields, without a signal."""
        if self.parent is None:
            return
        for field, value in taken_over(self.parent).items():
            box = self._fields[field]
            with QSignalBlocker(box):
                if isinstance(box, QComboBox):
                    choose(box, value)
                else:
                    fill_field(box, value)

    def hold(self, names: Iterable[str] = HELD) -> None:
        """Turn off the fields whose values are taken over."""
        for field in names:
            self._fields[field].setEnabled(field not in self.held)

    def explanation(self, field: str, model: str, site: str) -> str:
        """Return what a field says because of the dictionary; empty: what it says by itself."""
        if self.parent is None:
            return ""
        if field == "start_from":
            return start_text(self.parent, model, site)
        return TAKEN_OVER.format(self.name) if field in self.held else ""
