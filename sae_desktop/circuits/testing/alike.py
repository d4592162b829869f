"""Features drawn at random that fire about as strongly as others: what a test is held against."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from sae_desktop.circuits.opened_graph import OpenedGraph, Place

_NEAREST = 10
"""Features of the nearest activation, of which one is drawn."""


def alike(
    found: OpenedGraph, activations: Sequence[float], taken: Collection[Place], seed: int
) -> list[Place]:
    """Return for each activation another feature that fires on the prompt about as strongly.

    None is drawn twice, and none that is `taken`; where too few fire, fewer are drawn.
    """
    places: list[Place] = []
    values: list[float] = []
    for layer, active in found.model.active.items():
        rows = zip(
            active.positions.tolist(), active.features.tolist(), active.activations.tolist(),
            strict=True,
        )  # fmt: skip
        for position, feature, value in rows:
            if (layer, position, feature) not in taken:
                places.append((layer, position, feature))
                values.append(value)
    rng = np.random.default_rng(seed)
    sizes = np.array(values)
    left = np.ones(len(places), bool)
    drawn: list[Place] = []
    for activation in activations:
        if not left.any():
            break
        distances = np.where(left, np.abs(sizes - activation), np.inf)
        nearest = np.argsort(distances, kind="stable")[: min(_NEAREST, int(left.sum()))]
        number = int(rng.choice(nearest))
        left[number] = False
        drawn.append(places[number])
    return drawn
