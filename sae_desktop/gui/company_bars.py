"""What goes along with a feature, as rows of bars. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sae_desktop.features.facts import Neuron, Share
from sae_desktop.features.reader import FeatureIndex
from sae_desktop.gui.number_text import count_text, percent_text

MOST = 10
LITTLE = 0.3
"""Scaling Monosemanticity asks whether a feature correlates more than this with any neuron."""


@dataclass(frozen=True)
class ShareRow:
    """A language or source: how much of the feature's firing is there."""

    name: str
    share: float
    """Of the feature's firings."""
    tip: str


def share_rows(shares: Sequence[Share], most: int = MOST) -> list[ShareRow]:
    """Return the names with most of the firings, the rest as one, with densities in the tips."""
    total = sum(share.firings for share in shares)
    if not total:
        return []
    ranked = sorted((s for s in shares if s.firings), key=lambda s: (-s.firings, s.name))
    rows = [
        ShareRow(
            s.name or "not known",
            s.firings / total,
            f"{s.name or 'not known'}: {count_text(s.firings)} of {count_text(total)} firings\n"
            f"on {percent_text(s.firings / max(s.tokens, 1))} of its "
            f"{count_text(s.tokens)} tokens",
        )
        for s in ranked[:most]
    ]
    rest = ranked[most:]
    if rest:
        firings = sum(s.firings for s in rest)
        names = ", ".join(s.name for s in rest[:12])
        rows.append(ShareRow(f"{len(rest)} more", firings / total, names))
    return rows


def neurons_text(index: FeatureIndex, neurons: Sequence[Neuron]) -> str:
    """Return in one sentence whether the feature is a neuron's in disguise."""
    if not index.info.neuron_rows:
        return "Neurons were not compared when the index was built."
    if not neurons:
        return "It was silent on the rows on which neurons were compared."
    told = ", ".join(
        f"layer {n.layer} neuron {n.neuron} (r {n.pearson:+.2f})" for n in neurons
    ).replace("-", "−")
    if abs(neurons[0].pearson) <= LITTLE:
        return f"No neuron of the preceding layers correlates by more than {LITTLE}: {told}."
    return f"Correlates with {told}."
