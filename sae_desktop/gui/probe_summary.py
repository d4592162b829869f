"""What a probe's answer says about one feature and about all of them. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.config import ProbeResult

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class StrongFeature:
    """A feature that fires on a text, where it fires most."""

    feature: int
    activation: float
    position: int
    tokens: int
    """On how many tokens it is among the strongest."""


def activations_of(result: ProbeResult, feature: int) -> Array:
    """Return a feature's activation on each token, (T,) float32."""
    values = np.zeros(len(result.tokens), dtype=np.float32)
    for active in result.active:
        if active.feature == feature and 0 <= active.position < len(values):
            values[active.position] = active.activation
    return values


def strongest(result: ProbeResult, count: int) -> list[StrongFeature]:
    """Return the features with the largest activation on any token, strongest first."""
    best: dict[int, StrongFeature] = {}
    for active in result.active:
        if active.activation <= 0.0:
            continue
        before = best.get(active.feature)
        tokens = before.tokens + 1 if before else 1
        if before is None or active.activation > before.activation:
            best[active.feature] = StrongFeature(
                active.feature, active.activation, active.position, tokens
            )
        else:
            best[active.feature] = StrongFeature(
                before.feature, before.activation, before.position, tokens
            )
    return sorted(best.values(), key=lambda s: (-s.activation, s.feature))[:count]
