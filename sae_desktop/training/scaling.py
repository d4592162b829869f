"""How loss, the best size and the best learning rate go with compute. Free of torch.

After Scaling Monosemanticity, “Scaling Laws”: compute is features × steps; the lowest loss
at a compute falls as a power of it, and so go the features, steps and learning rate that
reach it. Only runs of one architecture, k and λ have losses that can be compared.

Where the runs allow, the best size at a compute is the minimum of a parabola through runs of
the same compute (Hoffmann et al., 2022, approach 2); otherwise it follows from the surface
loss = A·features^−α + B·steps^−β + E through all runs (approach 3).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Literal, TypeVar

import msgspec
import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.training.pareto import front_of
from sae_desktop.training.power_law import (
    FEWEST_POINTS,
    PowerLaw,
    Surface,
    fit_power_law,
    fit_surface,
    parabola_minimum,
)
from sae_desktop.training.sweep_config import SweepRow

_SAME_COMPUTE = 0.05
"""Runs whose compute differs by less than this share count as runs of one compute."""
_FEWEST_ON_A_PARABOLA = 3


class ScalingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A run, or the mean over its seeds."""

    features: int
    steps: int
    lr: float
    loss: float
    runs: int = 1

    @property
    def compute(self) -> float:
        return float(self.features) * self.steps


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Runs whose losses can be compared."""

    architecture: str
    k: int | None
    sparsity: float | None
    points: list[ScalingPoint]


class ScalingLaws(msgspec.Struct, frozen=True, kw_only=True):
    """What a series says; a law it cannot give is null, and `missing` says why."""

    loss: PowerLaw
    """Of the frontier's losses, in compute."""
    frontier: list[ScalingPoint]
    features: PowerLaw | None
    """Best number of features, in compute."""
    steps: PowerLaw | None
    method: Literal["parabolas", "surface", ""]
    """Where the best features and steps come from."""
    best_sizes: list[ScalingPoint]
    """The parabolas' minima; empty for a surface."""
    surface: Surface | None
    lr: PowerLaw | None
    """Best learning rate, in compute."""
    best_rates: list[ScalingPoint]
    missing: list[str]


class Optimum(msgspec.Struct, frozen=True, kw_only=True):
    """The best run at a budget, as the laws have it."""

    compute: float
    loss: float
    features: int | None
    steps: int | None
    lr: float | None
    beyond: float
    """How many times the largest compute measured it lies; 1 or less: within."""


class SeriesReport(msgspec.Struct, frozen=True, kw_only=True):
    """A series with what it says."""

    series: Series
    laws: ScalingLaws | None
    refusal: str
    """Why there are no laws; empty where there are."""
    optimum: Optimum | None
    """At the budget asked for."""


class ScalingReport(msgspec.Struct, frozen=True, kw_only=True):
    series: list[SeriesReport]
    pareto_front: list[str]
    """Dictionaries that no other beats in both FVU and L0, by rising L0."""


def scaling_report(rows: Sequence[SweepRow], budget: float | None = None) -> ScalingReport:
    """Return what one or several sweeps say. Raises UserError where no series gives a law."""
    reports = [_report(series, budget) for series in series_of(rows)]
    if not reports:
        raise UserError("No run of the sweep is done.", next_step="Run the sweep first.")
    if all(report.laws is None for report in reports):
        raise UserError(
            reports[0].refusal,
            next_step="Only runs of one architecture, k and λ are compared; add features, tokens "
            "or seeds to the sweep and run it again.",
        )
    return ScalingReport(series=reports, pareto_front=[row.dictionary for row in front_of(rows)])


def _report(series: Series, budget: float | None) -> SeriesReport:
    try:
        laws = scaling_laws(series.points)
        best = None if budget is None else optimum(laws, budget)
    except UserError as error:
        return SeriesReport(series=series, laws=None, refusal=error.what, optimum=None)
    return SeriesReport(series=series, laws=laws, refusal="", optimum=best)


def series_of(rows: Iterable[SweepRow]) -> list[Series]:
    """Return finished runs by architecture, k and λ, each the mean over its seeds."""
    grouped: dict[tuple[str, int | None, float | None], list[SweepRow]] = defaultdict(list)
    for row in rows:
        if row.state == "done" and not row.stopped_early and row.loss is not None:
            grouped[row.architecture, row.k, row.sparsity].append(row)
    return [
        Series(architecture=a, k=k, sparsity=s, points=_mean_over_seeds(group))
        for (a, k, s), group in grouped.items()
    ]


def _mean_over_seeds(rows: Sequence[SweepRow]) -> list[ScalingPoint]:
    points = []
    sizes = _by(rows, lambda r: (r.features, r.steps, r.peak_lr or r.lr))
    for (features, steps, lr), same in sizes.items():
        losses = [row.loss for row in same if row.loss is not None]
        points.append(
            ScalingPoint(
                features=features,
                steps=steps,
                lr=lr,
                loss=math.fsum(losses) / len(losses),
                runs=len(losses),
            )
        )
    return points


def frontier(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """Return the runs than which none of as little compute is better, by rising compute."""
    best = math.inf
    front = []
    for point in sorted(points, key=lambda p: (p.compute, p.loss)):
        if point.loss < best:
            front.append(point)
            best = point.loss
    return front


def scaling_laws(points: Sequence[ScalingPoint], *, seed: int = 0) -> ScalingLaws:
    """Fit every law the points allow. Raises UserError when they do not even give the loss."""
    if any(not (p.loss > 0 and math.isfinite(p.loss) and p.compute > 0) for p in points):
        raise UserError(
            "A scaling law needs losses and computes above 0.",
            next_step="Leave out runs that came to nothing.",
        )
    front = frontier(points)
    loss = fit_power_law(
        [p.compute for p in front],
        [p.loss for p in front],
        what="loss against compute",
        irreducible=None,
        seed=seed,
    )
    missing: list[str] = []
    per_size = _best_of_each(points)
    features, steps, method, sizes, surface = _size_laws(per_size, seed, missing)
    rates = _best_rates(points, missing)
    lr = None
    if rates:
        lr = _law_or_why(
            [p.compute for p in rates], [p.lr for p in rates], "best learning rate", seed, missing
        )
    return ScalingLaws(
        loss=loss,
        frontier=front,
        features=features,
        steps=steps,
        method=method,
        best_sizes=sizes,
        surface=surface,
        lr=lr,
        best_rates=rates,
        missing=missing,
    )


def optimum(laws: ScalingLaws, compute: float) -> Optimum:
    """Return the best run of a budget in features × steps. Raises UserError for none."""
    if not (compute > 0 and math.isfinite(compute)):
        raise UserError(f"A budget of {compute:g} features × steps is none.")
    features = steps = None
    if laws.features is not None and laws.steps is not None:
        features = max(1, round(laws.features.at(compute)))
        steps = max(1, round(compute / features))
    return Optimum(
        compute=compute,
        loss=laws.loss.at(compute),
        features=features,
        steps=steps,
        lr=laws.lr.at(compute) if laws.lr is not None else None,
        beyond=compute / max(p.compute for p in laws.frontier),
    )


_Sizes = tuple[
    PowerLaw | None,
    PowerLaw | None,
    Literal["parabolas", "surface", ""],
    list[ScalingPoint],
    Surface | None,
]


def _size_laws(points: Sequence[ScalingPoint], seed: int, missing: list[str]) -> _Sizes:
    sizes = _parabola_minima(points)
    if len(sizes) >= FEWEST_POINTS:
        computes = [p.compute for p in sizes]
        features = fit_power_law(
            computes, [p.features for p in sizes], what="best features", seed=seed
        )
        steps = fit_power_law(computes, [p.steps for p in sizes], what="best steps", seed=seed)
        return features, steps, "parabolas", sizes, None
    try:
        surface = fit_surface(
            [p.features for p in points],
            [p.steps for p in points],
            [p.loss for p in points],
            seed=seed,
        )
    except UserError as error:
        missing.append(
            f"Best features and steps: {error} Of one compute and three sizes, with the best "
            f"between them, there are {len(sizes)} groups of runs; {FEWEST_POINTS} would do too."
        )
        return None, None, "", sizes, None
    return surface.best_features, surface.best_steps, "surface", [], surface


def _best_of_each(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """Return each size's run of the learning rate that served it best."""
    sizes = _by(points, lambda p: (p.features, p.steps))
    return [min(same, key=lambda p: p.loss) for same in sizes.values()]


def _parabola_minima(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """Return the best size at each compute that several sizes share, if it lies between them."""
    found = []
    for group in _same_compute(points):
        minimum = parabola_minimum([p.features for p in group], [p.loss for p in group])
        if minimum is None:
            continue
        features, loss = minimum
        compute = float(np.exp(np.mean([math.log(p.compute) for p in group])))
        found.append(
            ScalingPoint(
                features=round(features),
                steps=round(compute / features),
                lr=min(group, key=lambda p: p.loss).lr,
                loss=loss,
                runs=sum(p.runs for p in group),
            )
        )
    return found


def _same_compute(points: Sequence[ScalingPoint]) -> list[list[ScalingPoint]]:
    groups: list[list[ScalingPoint]] = []
    for point in sorted(points, key=lambda p: p.compute):
        if groups and point.compute <= groups[-1][0].compute * (1 + _SAME_COMPUTE):
            groups[-1].append(point)
        else:
            groups.append([point])
    return [g for g in groups if len({p.features for p in g}) >= _FEWEST_ON_A_PARABOLA]


def _best_rates(points: Sequence[ScalingPoint], missing: list[str]) -> list[ScalingPoint]:
    """Return each size with its best learning rate, where that lies between rates tried."""
    sizes = _by(points, lambda p: (p.features, p.steps))
    tried = [same for same in sizes.values() if len(same) >= _FEWEST_ON_A_PARABOLA]
    found = []
    for same in tried:
        minimum = parabola_minimum([p.lr for p in same], [p.loss for p in same])
        if minimum is not None:
            lr, loss = minimum
            found.append(msgspec.structs.replace(same[0], lr=lr, loss=loss))
    if not tried:
        missing.append(
            f"Best learning rate: no size was trained at {_FEWEST_ON_A_PARABOLA} of them."
        )
    elif len(found) < len(tried):
        missing.append(
            f"Best learning rate: of {len(tried) - len(found)} sizes the best is the smallest or "
            "the largest tried; they are left out."
        )
    return found


def _law_or_why(
    x: Sequence[float], y: Sequence[float], what: str, seed: int, missing: list[str]
) -> PowerLaw | None:
    try:
        return fit_power_law(x, y, what=what, seed=seed)
    except UserError as error:
        missing.append(f"{what[0].upper()}{what[1:]}: {error}")
        return None


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def _by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
