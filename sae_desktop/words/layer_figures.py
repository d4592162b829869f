"""How well a set does in each layer, as a plot has it. Free of Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sae_desktop.words.amounts import figure_text, share_text
from sae_desktop.words.curve_files import as_table
from sae_desktop.words.inventory import DictionaryItem, SetItem
from sae_desktop.words.set_words import layer_of


@dataclass(frozen=True)
class LayerFigures:
    """One layer; what is not known yet is None."""

    layer: int
    run: str
    """The run whose curves are those of the layer."""
    fvu: float | None = None
    l0: float | None = None
    dead_fraction: float | None = None

    @property
    def text(self) -> str:
        """The layer’s figures in a line."""
        told = [f"Layer {self.layer}"]
        if self.fvu is not None:
            told.append(f"FVU {figure_text(self.fvu)}")
        if self.l0 is not None:
            told.append(f"L0 {figure_text(self.l0, 1)}")
        if self.dead_fraction is not None:
            told.append(f"{share_text(self.dead_fraction)} dead")
        return " · ".join(told)


FIGURES = ("fvu", "l0", "dead_fraction")
"""What is told of a layer, as curves and results call it."""


def layer_figures(
    item: SetItem, last: Callable[[str, str], float | None] = lambda _run, _column: None
) -> list[LayerFigures]:
    """Return the figures of each layer of a set: at the end of its training, or so far.

    `last`: (run, column) → the last value of a curve that is shown.
    """
    if item.result is not None:
        runs = {layer_of(member.name): member.name for member in item.members}
        whole = item.members[0].name if item.members else ""
        return [
            LayerFigures(one.layer, runs.get(one.layer, whole), one.fvu, one.l0, one.dead_fraction)
            for one in item.result.figures
        ]
    found = [_of_member(member, last) for member in item.members]
    return [figures for figures in found if figures is not None]


def _of_member(
    member: DictionaryItem, last: Callable[[str, str], float | None]
) -> LayerFigures | None:
    layer = layer_of(member.name)
    if layer is None:  # one dictionary of all layers: by layer it is measured at the end
        return None
    result = member.summary.result if member.summary is not None else None
    if result is not None:
        return LayerFigures(layer, member.name, result.fvu, result.l0, result.dead_fraction)
    return LayerFigures(layer, member.name, *(last(member.name, column) for column in FIGURES))


def figures_table(figures: Sequence[LayerFigures], *, delimiter: str) -> str:
    """Return the figures as delimited text, in full."""
    rows = [
        [str(one.layer)]
        + ["" if (v := getattr(one, column)) is None else f"{v:.8g}" for column in FIGURES]
        for one in figures
    ]
    return as_table(["layer", *FIGURES], rows, delimiter=delimiter)
