"""What goes along with a feature, as rows of bars. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sae_desktop.features.reading.facts import Neuron, Share
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.words.amounts import exact_count, percent_text

MOST = 10
LITTLE = 0.3
"""Scaling Monosemanticity asks whether a feature correlates more than this with any neuron."""


BY_ACTIVATION = "of its activation · of its firings"
BY_FIRINGS = "of its firings"
"""What the shares are of; only the latter is known in older indexes."""


@dataclass(frozen=True)
class ShareRow:
    """A language, source or token: how much of the feature's activation is there."""

    name: str
    share: float
    """Of the activation, or of the firings where that is all that is known."""
    text: str
    """Both, as `BY_ACTIVATION` says, or the one."""
    tip: str


def shares_note(shares: Sequence[Share]) -> str:
    """Return what the shares are of."""
    return BY_ACTIVATION if _weighed(shares) else BY_FIRINGS


def share_rows(shares: Sequence[Share], most: int = MOST) -> list[ShareRow]:
    """Return the names with most of the activation, the rest as one, with densities in the tips.

    Of older indexes those with most of the firings.
    """
    firings = sum(share.firings for share in shares)
    if not firings:
        return []
    weighed = _weighed(shares)
    activation = math.fsum(share.activation or 0.0 for share in shares) if weighed else None
    weigh = _activation if weighed else _firings
    ranked = sorted((s for s in shares if s.firings), key=lambda s: (-weigh(s), s.name))
    rows = [
        share_row(
            s.name or "not known", s.firings, firings, s.activation, activation,
            f"on {percent_text(s.firings / max(s.tokens, 1))} of its "
            f"{exact_count(s.tokens)} tokens",
        )
        for s in ranked[:most]
    ]  # fmt: skip
    rest = ranked[most:]
    if rest:
        row = share_row(
            f"{len(rest)} more",
            sum(s.firings for s in rest),
            firings,
            math.fsum(s.activation or 0.0 for s in rest),
            activation,
        )
        rows.append(replace(row, tip=", ".join(s.name for s in rest[:12])))
    return rows


def share_row(
    name: str,
    firings: int,
    of_firings: int,
    activation: float | None,
    of_activation: float | None,
    more: str = "",
) -> ShareRow:
    """Return the row of a name with so much of so many; without a total activation, of firings."""
    share, text = firings / max(of_firings, 1), f"{100 * firings / max(of_firings, 1):.0f}%"
    tip = [name]
    if activation is not None and of_activation:
        share = activation / of_activation
        text = f"{100 * share:.0f}% · {text}"
        tip.append(f"{100 * share:.0f}% of its activation")
    tip.append(f"{exact_count(firings)} of {exact_count(of_firings)} firings")
    return ShareRow(name, share, text, "\n".join([*tip, *([more] if more else [])]))


def _weighed(shares: Sequence[Share]) -> bool:
    return all(share.activation is not None for share in shares)


def _activation(share: Share) -> float:
    return share.activation or 0.0


def _firings(share: Share) -> float:
    return share.firings


def neurons_text(index: FeatureIndex, neurons: Sequence[Neuron]) -> str:
    """Return in one sentence whether the feature is a neuron's in disguise."""
    if not index.info.neuron_rows:
        return "Neurons were not compared when the index was built."
    if not neurons:
        return "The feature was silent on the rows used to compare neurons."
    told = ", ".join(
        f"layer {n.layer} neuron {n.neuron} (r {n.pearson:+.2f})" for n in neurons
    ).replace("-", "−")
    if abs(neurons[0].pearson) <= LITTLE:
        return f"No neuron in earlier layers correlates by more than {LITTLE}: {told}."
    return f"Correlates with {told}."
