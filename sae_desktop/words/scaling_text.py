"""Scaling laws in words, and the points and lines of their plot. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.training.sweeps.power_law import PowerLaw
from sae_desktop.training.sweeps.region import Interval
from sae_desktop.training.sweeps.scaling import Optimum, ScalingLaws, ScalingPoint, optimum
from sae_desktop.training.sweeps.scaling_report import Series
from sae_desktop.words.amounts import exact_count, short_count
from sae_desktop.words.architecture_titles import architecture_title

_LINE_POINTS = 60
_BEYOND = 10.0
"""The fitted line is drawn this many times past the largest compute."""


@dataclass(frozen=True)
class LawLine:
    """A fitted law as it is drawn: x and y, both above 0."""

    x: list[float]
    y: list[float]


def series_name(series: Series) -> str:
    """Return what tells a series from others: "TopK, k 32"."""
    parts = [architecture_title(series.architecture)]
    parts += [f"k {series.k}"] if series.k is not None else []
    parts += [f"λ {series.sparsity:g}"] if series.sparsity is not None else []
    return ", ".join(parts)


def law_text(law: PowerLaw, of: str) -> str:
    """Return a law with what is sure of its exponent: "loss = 3.1 · C^−0.21 (exponent …)"."""
    floor = f" + {law.irreducible:.3g}" if law.irreducible is not None else ""
    return (
        f"{of} = {law.coefficient:.3g} · C^{_signed(law.exponent)}{floor} ({law.interval_text()})"
    )


def law_line(law: PowerLaw, low: float, high: float) -> LawLine:
    """Return a law from the least compute measured to some way past the largest."""
    x = np.geomspace(low, high * _BEYOND, _LINE_POINTS)
    points = [(float(v), law.at(float(v))) for v in x]
    kept = [(v, y) for v, y in points if y > 0 and math.isfinite(y)]
    return LawLine([v for v, _ in kept], [y for _, y in kept])


def default_budget(laws: ScalingLaws) -> float:
    """Return the budget asked about at first: four times the largest compute measured."""
    return float(f"{4 * max(point.compute for point in laws.frontier):.1g}")


def optimum_text(points: Sequence[ScalingPoint], budget: float, batch: int) -> str:
    """Return the best run of a budget in words; why there is none, where there is none."""
    try:
        return best_text(optimum(points, budget), batch)
    except UserError as error:
        return str(error)


def best_text(best: Optimum, batch: int | None = None) -> str:
    """Return the best run of a budget in words, with how sure each figure is.

    With `batch`, the steps are told in rows, too.
    """
    parts = [f"loss {best.loss:.3g} ({_sure(best.loss_interval, _three)})"]
    if best.features is not None and best.steps is not None:
        parts.append(
            f"{exact_count(best.features)} features ({_sure(best.features_interval, _count)})"
        )
        steps = f"{exact_count(best.steps)} steps ({_sure(best.steps_interval, _count)})"
        if batch is not None:
            rows = short_count(best.steps * batch)
            steps += f", which are {rows} rows at batch {exact_count(batch)}"
        parts.append(steps)
    if best.lr is not None:
        parts.append(f"learning rate {best.lr:.2g} ({_sure(best.lr_interval, _three)})")
    text = "; ".join(parts) + f". {best.said_of_intervals()}"
    if best.beyond > 1:
        text += f" The budget is {best.beyond:.2g} times the largest compute measured."
    return text


def _sure(interval: Interval | None, written: Callable[[float], str]) -> str:
    if interval is None or not interval.told:
        return "its uncertainty cannot be estimated"
    return f"95% interval {interval.text(written)}"


def _three(value: float) -> str:
    return f"{value:.3g}"


def _count(value: float) -> str:
    return exact_count(max(1, round(value)))


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
