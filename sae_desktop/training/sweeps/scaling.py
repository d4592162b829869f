"""How the loss, the best size and the best learning rate change with compute. Free of torch.

After Scaling Monosemanticity, “Scaling Laws”: compute is features × steps; the lowest loss
at a compute falls as a power of it, and so go the features, steps and learning rate that
reach it. Which runs have losses that can be compared is told in `scaling_report.py`.

Where the runs allow, all follows from the surface loss = A·features^−α + B·steps^−β + E through
all runs (Hoffmann et al., 2022, approach 3), or, where they are told to fit clearly better, from
parabolas through runs of the same compute (approach 2). Neither picks runs for their low loss,
which would favour lucky ones. Otherwise the loss is fitted to the runs as they stand if none
competes with another, and to the frontier if some do; then how sure it is cannot be told.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

import msgspec
import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.training.sweeps.power_law import (
    FEWEST_POINTS,
    PowerLaw,
    Surface,
    predicting_power_law,
    predicting_surface,
)
from sae_desktop.training.sweeps.predicted import Predict, cannot_be_told
from sae_desktop.training.sweeps.region import LEVEL, OPEN, Interval
from sae_desktop.training.sweeps.valleys import Valleys, fit_valleys

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


class ScalingLaws(msgspec.Struct, frozen=True, kw_only=True):
    """What a series says; a law it cannot give is null, and `missing` says why."""

    loss: PowerLaw
    """Of the lowest loss, in compute."""
    frontier: list[ScalingPoint]
    features: PowerLaw | None
    """Best number of features, in compute."""
    steps: PowerLaw | None
    method: Literal["parabolas", "surface", ""]
    """Where the best features and steps, and with them the loss, come from."""
    best_sizes: list[ScalingPoint]
    """The parabolas' lowest points; empty for a surface."""
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
    loss_interval: Interval
    """95%, of the law at this compute: a run scatters about it."""
    features_interval: Interval | None
    steps_interval: Interval | None
    lr_interval: Interval | None
    beyond: float
    """How many times the largest compute measured it lies; 1 or less: within."""
    spread: float
    """Standard deviation of runs about the law of the loss, as a share of it."""

    def said_of_intervals(self) -> str:
        """Return in words what the intervals are of."""
        return (
            "The 95% intervals are for the fitted laws, from the scatter of the runs around "
            f"them; a single run deviates from the loss by another {self.spread:.1%} or so."
        )


def frontier(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """Return the runs than which none of as little compute is better, by rising compute."""
    best = math.inf
    front = []
    for point in sorted(points, key=lambda p: (p.compute, p.loss)):
        if point.loss < best:
            front.append(point)
            best = point.loss
    return front


def scaling_laws(points: Sequence[ScalingPoint]) -> ScalingLaws:
    """Fit every law the points allow. Raises UserError when they do not even give the loss."""
    return _fitted(tuple(points)).laws


def optimum(points: Sequence[ScalingPoint], compute: float) -> Optimum:
    """Return the best run of a budget in features × steps, as the laws of the points have it.

    Raises UserError for a budget that is none, and what `scaling_laws` raises.
    """
    if not (compute > 0 and math.isfinite(compute)):
        raise UserError(f"A budget of {compute:g} features × steps is none.")
    fitted = _fitted(tuple(points))
    laws = fitted.laws
    loss = laws.loss.at(compute)
    features = steps = None
    of_features = of_steps = None
    if laws.features is not None and laws.steps is not None:
        best = laws.features.at(compute)
        features = max(1, round(best))
        steps = max(1, round(compute / features))
        of_features = fitted.features_at(compute).reaching(best)
        of_steps = of_features.dividing(compute)
    lr = laws.lr.at(compute) if laws.lr is not None else None
    return Optimum(
        compute=compute,
        loss=loss,
        features=features,
        steps=steps,
        lr=lr,
        loss_interval=fitted.loss_at(compute).reaching(loss),
        features_interval=of_features,
        steps_interval=of_steps,
        lr_interval=None if lr is None else fitted.lr_at(compute).reaching(lr),
        beyond=compute / max(p.compute for p in laws.frontier),
        spread=fitted.scatter,
    )


def _scatter(law: PowerLaw) -> float:
    """Return the standard deviation of points about a law, the parameters spent taken off."""
    spent = 2 if law.irreducible_interval is None else 3
    return law.spread * math.sqrt(law.points / (law.points - spent))


class _Fitted(NamedTuple):
    laws: ScalingLaws
    loss_at: Predict
    features_at: Predict
    lr_at: Predict
    scatter: float


@lru_cache(maxsize=32)
def _fitted(points: tuple[ScalingPoint, ...]) -> _Fitted:
    """Fit the laws; kept, for a budget is asked about again and again."""
    if any(not (p.loss > 0 and math.isfinite(p.loss) and p.compute > 0) for p in points):
        raise UserError(
            "A scaling law needs losses and compute above 0.",
            next_step="Leave out runs that failed.",
        )
    missing: list[str] = []
    sizes = _size_laws(_best_of_each(points), missing)
    rates = _rate_law(points, missing)
    laws = ScalingLaws(
        loss=sizes.loss,
        frontier=frontier(points),
        features=sizes.features,
        steps=sizes.steps,
        method=sizes.method,
        best_sizes=sizes.best,
        surface=sizes.surface,
        lr=rates.law,
        best_rates=rates.best,
        missing=missing,
    )
    return _Fitted(laws, sizes.loss_at, sizes.features_at, rates.at, sizes.scatter)


class _Sizes(NamedTuple):
    loss: PowerLaw
    loss_at: Predict
    scatter: float
    """Standard deviation of runs about the loss, as a share of it."""
    features: PowerLaw | None = None
    steps: PowerLaw | None = None
    method: Literal["parabolas", "surface", ""] = ""
    best: list[ScalingPoint] = []
    surface: Surface | None = None
    features_at: Predict = cannot_be_told


class _Rates(NamedTuple):
    law: PowerLaw | None = None
    best: list[ScalingPoint] = []
    at: Predict = cannot_be_told


def _size_laws(points: Sequence[ScalingPoint], missing: list[str]) -> _Sizes:
    groups = _same_compute(points)
    runs = [(number, p) for number, group in enumerate(groups) for p in group]
    valleys = None
    if len(groups) >= FEWEST_POINTS:
        valleys = _valleys(runs, lambda p: p.features)
    refusal = ""
    try:
        surface, loss_at, features_at = predicting_surface(
            [p.features for p in points], [p.steps for p in points], [p.loss for p in points]
        )
        if not (valleys and _clearly_better(valleys, surface)):
            return _Sizes(
                surface.best_loss, loss_at, math.sqrt(surface.variance),
                surface.best_features, surface.best_steps, "surface", [], surface, features_at,
            )  # fmt: skip
    except UserError as error:
        refusal = str(error)
    if valleys is None:
        missing.append(
            f"Best features and steps: {refusal} There are {len(groups)} groups of runs with the "
            f"same compute and three sizes; {FEWEST_POINTS} whose best size lies between the "
            "others would also be enough."
        )
        law, predict = _loss_law(points, missing)
        return _Sizes(law, predict, _scatter(law))
    return _of_valleys(valleys, groups)


def _clearly_better(valleys: Valleys, surface: Surface) -> bool:
    """Whether the surface is off by more than chance lets it be, were it true."""
    from scipy.stats import f

    free = surface.points - 5
    ratio = surface.variance / max(valleys.variance, 1e-300)
    return bool(ratio > f.ppf(LEVEL, free, valleys.freedom))


def _of_valleys(valleys: Valleys, groups: Sequence[Sequence[ScalingPoint]]) -> _Sizes:
    computes = [_middle(p.compute for p in group) for group in groups]
    law = valleys.law
    steps = msgspec.structs.replace(
        law,
        coefficient=1 / law.coefficient,
        exponent=1 - law.exponent,
        exponent_interval=law.exponent_interval.less_than_one(),
    )
    best = [
        ScalingPoint(
            features=max(1, round(features)),
            steps=max(1, round(compute / features)),
            lr=min(group, key=lambda p: p.loss).lr,
            loss=loss,
            runs=sum(p.runs for p in group),
        )
        for group, compute, features, loss in zip(
            groups, computes, valleys.best.tolist(), valleys.lowest.tolist(), strict=True
        )
    ]
    loss_law, loss_at = predicting_power_law(
        computes, valleys.lowest.tolist(), what="loss against compute", irreducible=True
    )
    scatter = math.sqrt(valleys.variance)
    return _Sizes(
        loss_law, loss_at, scatter, law, steps, "parabolas", best, features_at=valleys.predict
    )


def _valleys(
    runs: Sequence[tuple[int, ScalingPoint]], setting: Callable[[ScalingPoint], float]
) -> Valleys | None:
    columns = [(n, setting(p), p.compute, p.loss) for n, p in runs]
    number, values, computes, losses = (np.array(column) for column in zip(*columns, strict=True))
    return fit_valleys(number, values, computes, losses)


def _loss_law(points: Sequence[ScalingPoint], missing: list[str]) -> tuple[PowerLaw, Predict]:
    """Fit the loss where no best size can be told."""
    chosen, competing = sorted(points, key=lambda p: p.compute), not _a_chain(points)
    if competing:
        chosen = frontier(points)
    law, predict = predicting_power_law(
        [p.compute for p in chosen],
        [p.loss for p in chosen],
        what="loss against compute",
        irreducible=True,
    )
    if competing:
        missing.append(
            "The uncertainty of the loss's exponent and of the loss at a budget cannot be "
            "estimated: among competing runs, those with low loss were picked, and some of them "
            "are just lucky. Three numbers of features, each at three numbers of steps, would be "
            "enough."
        )
        law = msgspec.structs.replace(law, exponent_interval=OPEN, irreducible_interval=OPEN)
        return law, cannot_be_told
    return law, predict


def _a_chain(points: Sequence[ScalingPoint]) -> bool:
    """Whether each run has more compute than the one before, and no less of anything."""
    ordered = sorted(points, key=lambda p: p.compute)
    return all(
        a.compute < b.compute and a.features <= b.features and a.steps <= b.steps
        for a, b in itertools.pairwise(ordered)
    )


def _best_of_each(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """Return each size's run of the learning rate that served it best."""
    sizes = grouped(points, lambda p: (p.features, p.steps))
    return [min(same, key=lambda p: p.loss) for same in sizes.values()]


def _same_compute(points: Sequence[ScalingPoint]) -> list[list[ScalingPoint]]:
    groups: list[list[ScalingPoint]] = []
    for point in sorted(points, key=lambda p: p.compute):
        if groups and point.compute <= groups[-1][0].compute * (1 + _SAME_COMPUTE):
            groups[-1].append(point)
        else:
            groups.append([point])
    return [g for g in groups if len({p.features for p in g}) >= _FEWEST_ON_A_PARABOLA]


def _rate_law(points: Sequence[ScalingPoint], missing: list[str]) -> _Rates:
    """Return the law of the best learning rate, and the best of each size that tells of it."""
    sizes = grouped(points, lambda p: (p.features, p.steps)).values()
    tried = [same for same in sizes if len({p.lr for p in same}) >= _FEWEST_ON_A_PARABOLA]
    if not tried:
        missing.append(
            f"Best learning rate: no size was trained at {_FEWEST_ON_A_PARABOLA} of them."
        )
        return _Rates()
    computes = len({same[0].compute for same in tried})
    if computes < FEWEST_POINTS:
        missing.append(
            f"Best learning rate: {computes} amounts of compute have sizes trained at "
            f"{_FEWEST_ON_A_PARABOLA} of them, but it needs {FEWEST_POINTS}."
        )
        return _Rates()
    valleys = _valleys([(n, p) for n, same in enumerate(tried) for p in same], lambda p: p.lr)
    if valleys is None:
        missing.append(
            "Best learning rate: for no size does the lowest loss lie between the rates tried."
        )
        return _Rates()
    best = [
        msgspec.structs.replace(same[0], lr=lr, loss=loss)
        for same, lr, loss in zip(
            tried, valleys.best.tolist(), valleys.lowest.tolist(), strict=True
        )
    ]
    beyond = sum(
        not min(p.lr for p in same) < one.lr < max(p.lr for p in same)
        for same, one in zip(tried, best, strict=True)
    )
    if beyond:
        missing.append(
            f"Best learning rate: of {beyond} of {len(tried)} sizes it lies outside the rates "
            "tried; extend the range there."
        )
    return _Rates(valleys.law, best, valleys.predict)


def _middle(values: Iterable[float]) -> float:
    return math.exp(np.mean([math.log(v) for v in values]))


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
