"""Sweeps as series of runs that can be compared, and what their scaling laws say. Free of torch.

Only runs of one architecture, k and λ have losses that can be compared.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.training.sweeps.pareto import front_of
from sae_desktop.training.sweeps.scaling import (
    Optimum,
    ScalingLaws,
    ScalingPoint,
    grouped,
    optimum,
    scaling_laws,
)
from sae_desktop.training.sweeps.sweep_config import SweepRow


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Runs whose losses can be compared."""

    architecture: str
    k: int | None
    sparsity: float | None
    points: list[ScalingPoint]


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
        raise UserError("No run of the sweep has finished.", next_step="Run the sweep first.")
    if all(report.laws is None for report in reports):
        raise UserError(
            reports[0].refusal,
            next_step="Only runs with the same architecture, k and λ are compared; add features, "
            "tokens or seeds to the sweep and run it again.",
        )
    return ScalingReport(series=reports, pareto_front=[row.dictionary for row in front_of(rows)])


def _report(series: Series, budget: float | None) -> SeriesReport:
    try:
        laws = scaling_laws(series.points)
        best = None if budget is None else optimum(series.points, budget)
    except UserError as error:
        return SeriesReport(series=series, laws=None, refusal=error.what, optimum=None)
    return SeriesReport(series=series, laws=laws, refusal="", optimum=best)


def series_of(rows: Iterable[SweepRow]) -> list[Series]:
    """Return finished runs by architecture, k and λ, each the mean over its seeds."""
    comparable: dict[tuple[str, int | None, float | None], list[SweepRow]] = defaultdict(list)
    for row in rows:
        if row.state == "done" and not row.stopped_early and row.loss is not None:
            comparable[row.architecture, row.k, row.sparsity].append(row)
    return [
        Series(architecture=a, k=k, sparsity=s, points=_mean_over_seeds(group))
        for (a, k, s), group in comparable.items()
    ]


def _mean_over_seeds(rows: Sequence[SweepRow]) -> list[ScalingPoint]:
    points = []
    sizes = grouped(rows, lambda r: (r.features, r.steps, r.peak_lr or r.lr))
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
