"""Which runs no other run beats in both FVU and L0. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sae_desktop.training.sweeps.sweep_config import SweepRow


def pareto_front(l0: Sequence[float], fvu: Sequence[float]) -> list[int]:
    """Return the numbers of the points on the front, by rising L0.

    A point is on it when none has both an L0 and an FVU as low, and one of them lower.
    Points that are not finite are on no front. Raises ValueError for unequal lengths.
    """
    points = sorted(
        (sparse, error, number)
        for number, (sparse, error) in enumerate(zip(l0, fvu, strict=True))
        if math.isfinite(sparse) and math.isfinite(error)
    )
    front: list[int] = []
    best, best_l0 = math.inf, math.nan
    for sparse, error, number in points:
        if error < best or (error == best and sparse == best_l0):
            front.append(number)
            best, best_l0 = error, sparse
    return front


def front_of(rows: Sequence[SweepRow]) -> list[SweepRow]:
    """Return a sweep's finished runs that are on the front, by rising L0."""
    nan = math.nan
    front = pareto_front(
        [nan if row.l0 is None else row.l0 for row in rows],
        [nan if row.fvu is None else row.fvu for row in rows],
    )
    return [rows[number] for number in front]
