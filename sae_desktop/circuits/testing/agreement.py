"""Where what a graph predicts and what the model does part: at norms, attention or features.

A graph takes where heads look and what norms divide by to stay, and features to stand for MLPs.
The same changes are made with these held and free, in the model and in the replacement model.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sae_desktop.circuits.asking_config import Agreement
from sae_desktop.circuits.reading.graph_file import Array
from sae_desktop.circuits.testing.changes import AS_TRACED, Held

ATTENTION_HELD, FREE = Held("frozen", "free"), Held("free", "free")
COMPARED = (AS_TRACED, ATTENTION_HELD, FREE, AS_TRACED._replace(replaced=True))
"""In what ways changes are made, beside the one that is asked for."""
_FEWEST = 3
"""Values between which a correlation is told."""


def correlation(one: Array, other: Array) -> float | None:
    """Return Pearson's of the finite values; None of fewer than three, or where one is constant."""
    finite = np.isfinite(one) & np.isfinite(other)
    one, other = one[finite], other[finite]
    if len(one) < _FEWEST or not np.ptp(one) > 0 or not np.ptp(other) > 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def agreement(
    predicted: Array, measured: Array, replaced: Array, held: Held, other: Callable[[Held], Array]
) -> Agreement:
    """Return how far predicted and measured changes (n,) agree, by what is held.

    `measured` and what the replacement model does, `replaced`, are with `held`; `other` measures
    the same changes with something else held.
    """
    traced = replaced if held == AS_TRACED else other(AS_TRACED._replace(replaced=True))

    def with_model(wanted: Held) -> Array:
        return measured if wanted == held else other(wanted)

    as_traced = with_model(AS_TRACED)
    return Agreement(
        held=correlation(predicted, as_traced),
        attention_held=correlation(predicted, with_model(ATTENTION_HELD)),
        free=correlation(predicted, with_model(FREE)),
        edges=correlation(predicted, traced),
        replaced=correlation(replaced, measured),
        overflowed=int((~np.isfinite(as_traced)).sum()),
    )
