"""Sets of dictionaries and their layers, in words. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.dictionary.set_info import ALL, SetInfo
from sae_desktop.words.amounts import exact_count, figure_text, share_text
from sae_desktop.words.inventory import DictionaryItem, SetItem

_FEWEST_IN_ROW = 3


def layers_text(layers: Sequence[int]) -> str:
    """Return layers in short: “0–5”, “0, 4, 8–11”."""
    parts: list[str] = []
    rest = sorted(set(layers))
    while rest:
        row = [rest.pop(0)]
        while rest and rest[0] == row[-1] + 1:
            row.append(rest.pop(0))
        whole = len(row) >= _FEWEST_IN_ROW
        parts += [f"{row[0]}–{row[-1]}"] if whole else [str(layer) for layer in row]
    return ", ".join(parts)


def layer_of(member: str) -> int | None:
    """Return the layer of a member such as “set.L03”; None of a cross-layer transcoder."""
    folder = member.rpartition(".")[2]
    return int(folder[1:]) if folder != ALL and folder[1:].isdecimal() else None


def member_text(member: str) -> str:
    """Return a member of a set within it: “Layer 3”, “All layers”."""
    layer = layer_of(member)
    return "All layers" if layer is None else f"Layer {layer}"


def kind_text(info: SetInfo) -> str:
    """Return what a set is made of: “skip transcoders”, “cross-layer transcoder”."""
    if info.kind == "cross_layer":
        return "cross-layer transcoder"
    return "skip transcoders" if info.skip else "transcoders"


def features_text(info: SetInfo) -> str:
    """Return how many features: “1,024 × 6 layers”."""
    counts = {member.features for member in info.members}
    if len(counts) == 1 and len(info.members) > 1:
        return f"{exact_count(info.members[0].features)} × {_layers(len(info.members))}"
    return exact_count(info.features)


def count_text(item: SetItem) -> str:
    """Return how many layers a set has: “6 layers”."""
    if item.info is not None:
        return _layers(len(item.info.layers))
    layers = [layer_of(member.name) for member in item.members]
    return "all layers" if layers == [None] else _layers(len(layers))


def quality_figures(item: SetItem) -> list[tuple[str, str]]:
    """Return how well the layers are reconstructed, from the best layer to the worst."""
    if item.result is not None:
        told = [(one.fvu, one.l0, one.dead_fraction) for one in item.result.figures]
    else:
        results = [m.summary.result for m in item.members if m.summary is not None]
        told = [(r.fvu, r.l0, r.dead_fraction) for r in results if r is not None]
    found = []
    if told:
        fvu, l0, dead = zip(*told, strict=True)
        found.append(("FVU", _span([figure_text(min(fvu)), figure_text(max(fvu))])))
        found.append(("L0", _span([figure_text(min(l0), 1), figure_text(max(l0), 1)])))
        found.append(("Dead in training", _span([share_text(min(dead)), share_text(max(dead))])))
    if item.result is not None and item.result.loss_recovered is not None:
        found.append(("Loss recovered", share_text(item.result.loss_recovered)))
    return found


def _span(ends: Sequence[str]) -> str:
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def indexed_text(item: SetItem) -> str:
    """Return how many of a set’s dictionaries have an index."""
    done, of = len(item.indexed), len(item.members)
    if of == 1:
        return "yes" if done else "not yet"
    return "all layers" if done == of else f"{done} of {of} layers" if done else "not yet"


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{exact_count(count)} layers"


def newest_index(member: DictionaryItem) -> str:
    """Return the index of a member to open; empty: it has none.

    Of several, the one that the set’s own indexing makes, which is called as the member is.
    """
    if member.name in member.indexes:
        return member.name
    return member.indexes[-1] if member.indexes else ""
