"""Which stores and sites the settings of a training offer, by what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.training.config import Target
from sae_desktop.training.sets.set_plan import layers_with_sites
from sae_desktop.words.inventory import StoreItem
from sae_desktop.words.training_catalogue import STREAM, chosen_sites


class SiteOffers:
    """Fills the fields of sites and of the other models’ stores."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self._offered: tuple[str, ...] = ()
        self.stores: list[StoreItem] = []
        self.stream = HarvestConfig(project="", name="")
        """What a harvest beside the training would read."""

    def available_sites(self) -> tuple[str, ...]:
        """Return the sites there are; of several stores those all have."""
        name = self._fields["activations"].currentData()
        if name == STREAM:
            return (self.stream.site, *self.stream.sites)
        sites = self._sites_of(name)
        if self._fields["target"].currentData() == "crosscoder":
            for other in self._fields["other_activations"].checked():
                sites = tuple(site for site in sites if site in self._sites_of(other))
        return sites

    @property
    def model(self) -> str:
        """The model whose rows are read; empty where it is not known."""
        name = self._fields["activations"].currentData()
        if name == STREAM:
            return self.stream.model
        return next((store.model for store in self.stores if store.name == name), "")

    def lacks_layers(self) -> bool:
        """Whether the chosen store has nothing that a set could be trained on."""
        name = self._fields["activations"].currentData()
        return name != STREAM and not layers_with_sites(self._sites_of(name))

    def _sites_of(self, name: str) -> tuple[str, ...]:
        return next((store.sites for store in self.stores if store.name == name), ())

    def chosen(self, target: Target) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return `sites`, `output_sites` and `other_activations` of a TrainConfig."""
        fields = self._fields
        others = fields["other_activations"].checked() if target == "crosscoder" else ()
        sites, output_sites = chosen_sites(
            target,
            self.available_sites(),
            site=fields["site"].currentData() or "",
            output_site=fields["output_site"].currentData() or "",
            sites=fields["sites"].checked(),
            several_models=bool(others),
        )
        return sites, output_sites, others

    def offer(self) -> None:
        """Put the stores and sites there are into the fields, and keep what was chosen."""
        name = self._fields["activations"].currentData()
        others = [store.name for store in self.stores if store.name != name]
        self._fields["other_activations"].show_sites(others)
        sites = self.available_sites()
        for number, field in enumerate(("site", "output_site")):
            keep = self._fields[field].currentData()
            other_sites = sites != self._offered
            if keep not in sites or (other_sites and number and keep == sites[0]):
                # A transcoder reads the first and writes the next.
                keep = sites[min(number, len(sites) - 1)] if sites else ""
            refill(self._fields[field], [(site, site) for site in sites], keep)
        self._fields["sites"].show_sites(sites)
        self._offered = sites


def refill(
    box: QComboBox, entries: Sequence[tuple[str, str]], keep: str, tips: Sequence[str] = ()
) -> None:
    """Put entries into a box without a signal, and choose the one that was chosen."""
    with QSignalBlocker(box):
        box.clear()
        for place, (text, value) in enumerate(entries):
            box.addItem(text, value)
            tip = tips[place] if place < len(tips) else text
            box.setItemData(place, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
        box.setCurrentIndex(max(box.findData(keep), 0) if entries else -1)


def choose(box: QComboBox, value: str) -> None:
    """Choose an entry by its value, if it is there."""
    if box.findData(value) >= 0:
        box.setCurrentIndex(box.findData(value))
