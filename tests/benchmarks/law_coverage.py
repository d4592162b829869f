"""How often intervals of scaling laws hold the truth, on laws made up for it.

    python tests/benchmarks/law_coverage.py --laws 400

Nominal is .95 everywhere; the error beside a share is that of its Monte Carlo draws. An interval
that is open to a side holds everything there; how many were is told.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.training.sweeps.power_law import PowerLaw, predicting_power_law
from sae_desktop.training.sweeps.scaling import ScalingLaws, ScalingPoint, optimum, scaling_laws

NOISE = 0.01
"""Standard deviation of the losses' relative noise, as between seeds of one run."""
POINTS = (4, 5, 6, 8, 12)
README_GRID = [
    (f, t / 4096) for f in (512, 1024, 2048, 4096) for t in (250_000, 500_000, 1_000_000)
]
FIVE_BY_FIVE = [(256.0 * 2**i, 200.0 * 2**j) for i in range(5) for j in range(5)]
BEYOND = 10.0
"""Predictions are asked of this times the largest compute."""
ALPHA, BETA = 0.35, 0.45
"""Exponents of the surfaces that are made up."""


@dataclass
class Tally:
    """Intervals seen of one kind."""

    inside: int = 0
    drawn: int = 0
    refused: int = 0
    """No law was given."""
    open: int = 0
    """No end, or one only."""
    widths: list[float] = field(default_factory=list)

    def add(self, interval: object | None, truth: float) -> None:
        if interval is None:
            self.refused += 1
            return
        low, high = interval.low, interval.high  # type: ignore[attr-defined]
        self.drawn += 1
        self.inside += (low is None or low <= truth) and (high is None or truth <= high)
        if low is None or high is None:
            self.open += 1
        else:
            self.widths.append(high - low)

    @property
    def coverage(self) -> float:
        return self.inside / max(self.drawn, 1)

    @property
    def error(self) -> float:
        """Standard error of the share, were it nominal."""
        return math.sqrt(0.95 * 0.05 / max(self.drawn, 1))

    def __str__(self) -> str:
        width = f"{np.median(self.widths):.3f}" if self.widths else "-"
        return (
            f"{self.coverage:.3f} ± {self.error:.3f} of {self.drawn}, {self.open} open, "
            f"{self.refused} refused, median width {width}"
        )


def straight(points: int, laws: int, floor: bool, seed: int = 0) -> dict[str, Tally]:
    """y = c·x^e with noise and no floor, fitted without one or leaving the choice."""
    return _lines_through(np.geomspace(1e5, 1e8, points), lambda x: 7.0 * x**-0.13, -0.13, laws,
                          floor, seed)  # fmt: skip


def with_floor(x: np.ndarray, laws: int, share: float, seed: int = 0) -> dict[str, Tally]:
    """y = c·x^e + E, where E is a share of the loss at the middle compute."""
    middle = float(np.exp(np.log(x).mean()))
    clean = lambda v: (1 - share) * (v / middle) ** -0.25 + share  # noqa: E731
    return _lines_through(x, clean, -0.25, laws, True, seed)


def _lines_through(
    x: np.ndarray, clean: Callable[[Any], Any], exponent: float, laws: int, floor: bool, seed: int
) -> dict[str, Tally]:
    rng = np.random.default_rng(seed)
    tallies = {name: Tally() for name in ("exponent", "loss at the budget")}
    budget = BEYOND * x.max()
    for _ in range(laws):
        y = clean(x) * np.exp(NOISE * rng.standard_normal(len(x)))
        law, at = predicting_power_law(list(x), list(y), what="loss", irreducible=floor)
        tallies["exponent"].add(law.exponent_interval, exponent)
        tallies["loss at the budget"].add(at(budget).reaching(law.at(budget)), clean(budget))
    return tallies


def surface(
    grid: list[tuple[float, float]],
    laws: int,
    share: float,
    noise: float = NOISE,
    alpha: float = ALPHA,
    seed: int = 0,
) -> dict[str, Tally]:
    """loss = A·f^−α + B·s^−β + E on a grid: exponents of loss and best size, and both at a
    budget."""
    rng = np.random.default_rng(seed)
    f, s = np.array(grid).T
    at_f, at_s = (float(np.exp(np.log(v).mean())) for v in (f, s))
    half = (1 - share) / 2
    clean = half * ((f / at_f) ** -alpha + (s / at_s) ** -BETA) + share
    truths = {
        # At one length all that falls is the features' share.
        "loss": -alpha * BETA / (alpha + BETA) if len(set(s)) > 1 else -alpha,
        "features": BETA / (alpha + BETA),
        "steps": alpha / (alpha + BETA),
    }
    budget = BEYOND * float((f * s).max())
    if len(set(s)) > 1:
        # α·(f/at_f)^−α = β·(s/at_s)^−β where f·s is the budget.
        over = budget / (at_f * at_s)
        best = (alpha / BETA * over**BETA) ** (1 / (alpha + BETA))
        at_best = half * (best**-alpha + (over / best) ** -BETA) + share
        truths |= {AT_BUDGET[0]: at_best, AT_BUDGET[1]: best * at_f}
    tallies = {name: Tally() for name in truths}
    for _ in range(laws):
        losses = clean * np.exp(noise * rng.standard_normal(len(f)))
        points = [
            ScalingPoint(features=int(a), steps=round(b), lr=1e-3, loss=float(v))
            for a, b, v in zip(f, s, losses, strict=True)
        ]
        _count(points, budget, truths, tallies)
    return tallies


AT_BUDGET = ("loss at the budget", "best size at the budget")


def _count(
    points: list[ScalingPoint], budget: float, truths: dict[str, float], tallies: dict[str, Tally]
) -> None:
    """Add what the laws through the points say of each truth to its tally."""
    try:
        found: dict[str, Any] = {
            name: law.exponent_interval
            for name, law in laws_by_name(scaling_laws(points)).items()
            if law is not None
        }
        best = optimum(points, budget)
        found |= {AT_BUDGET[0]: best.loss_interval, AT_BUDGET[1]: best.features_interval}
        found["rate at the budget"] = best.lr_interval
    except UserError:
        found = {}
    for name, truth in truths.items():
        tallies[name].add(found.get(name), truth)


def laws_by_name(laws: ScalingLaws) -> dict[str, PowerLaw | None]:
    return {"loss": laws.loss, "features": laws.features, "steps": laws.steps, "lr": laws.lr}


def same_computes(laws: int, noise: float = NOISE, seed: int = 0) -> dict[str, Tally]:
    """Runs of five computes, five sizes each, with a parabola of one width in log size."""
    rng = np.random.default_rng(seed)
    budget = BEYOND * 1e12
    truths = {"loss": -0.2, "features": 0.6, "steps": 0.4}
    truths |= {AT_BUDGET[0]: 40 * budget**-0.2, AT_BUDGET[1]: 0.5 * budget**0.6}
    tallies = {name: Tally() for name in truths}
    for _ in range(laws):
        points = []
        for compute in np.geomspace(1e8, 1e12, 5):
            best = 0.5 * compute**0.6
            for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
                clean = 40 * compute**-0.2 * math.exp(0.05 * math.log(factor) ** 2)
                features = round(best * factor)
                points.append(
                    ScalingPoint(
                        features=features, steps=round(compute / features), lr=1e-3,
                        loss=clean * math.exp(noise * rng.standard_normal()),
                    )
                )  # fmt: skip
        _count(points, budget, truths, tallies)
    return tallies


def rates(laws: int, noise: float = NOISE, seed: int = 0) -> dict[str, Tally]:
    """Six sizes at four learning rates, the best falling as compute^−0.3."""
    rng = np.random.default_rng(seed)
    budget = BEYOND * 64 * 32 * 1000
    truths = {"lr": -0.3, "rate at the budget": 0.02 * budget**-0.3}
    tallies = {name: Tally() for name in truths}
    for _ in range(laws):
        points = []
        for size in (2**i for i in range(6)):
            compute = 64 * size * 1000
            best = 0.02 * compute**-0.3
            for factor in (0.1, 0.4, 1.6, 6.4):
                loss = 5 * compute**-0.1 * math.exp(0.02 * math.log(factor) ** 2)
                loss *= math.exp(noise * rng.standard_normal())
                points.append(
                    ScalingPoint(features=64 * size, steps=1000, lr=best * factor, loss=loss)
                )
        _count(points, budget, truths, tallies)
    return tallies


def lines(laws: int) -> Iterator[tuple[str, Callable[[], dict[str, Tally]]]]:
    for points in POINTS:
        yield f"power law, {points} points", lambda n=points: straight(n, laws, False)  # type: ignore[misc]
        yield f"{points} points, a floor allowed", lambda n=points: straight(n, laws, True)  # type: ignore[misc]
    for points in (4, 6, 8, 12):
        x = np.geomspace(1e5, 1e8, points)
        yield f"floor of 10%, {points} points", lambda x=x: with_floor(x, laws, 0.1)  # type: ignore[misc]
    computes = np.unique([a * b for a, b in README_GRID])
    yield "floor of 10%, the README grid's computes", lambda: with_floor(computes, laws, 0.1)
    for share in (0.0, 0.1, 0.4):
        yield f"README's grid, floor {share:.0%}", lambda v=share: surface(README_GRID, laws, v)  # type: ignore[misc]
        yield f"5 × 5, floor {share:.0%}", lambda v=share: surface(FIVE_BY_FIVE, laws, v)  # type: ignore[misc]
    yield "5 × 5, noise 3%, floor 10%", lambda: surface(FIVE_BY_FIVE, laws, 0.1, 0.03)
    yield "5 × 5, α 0.6, floor 10%", lambda: surface(FIVE_BY_FIVE, laws, 0.1, alpha=0.6)
    one_side = [(256.0 * 2**i, 500.0) for i in range(6)]
    yield "6 sizes at one length", lambda: surface(one_side, laws, 0.1)
    two_lengths = [(256.0 * 2**i, s) for i in range(4) for s in (300.0, 600.0)]
    yield "4 × 2", lambda: surface(two_lengths, laws, 0.1)
    yield "runs of the same computes", lambda: same_computes(laws)
    yield "the same, noise 3%", lambda: same_computes(laws, 0.03)
    yield "best learning rate", lambda: rates(laws)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--laws", type=int, default=400)
    parser.add_argument("--only", default="", help="Lines that begin so.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for name, run in lines(asked.laws):
        if not name.startswith(asked.only):
            continue
        for part, tally in run().items():
            told = f"{name}, {part}"
            if asked.json:
                print(json.dumps({"line": told, "coverage": tally.coverage, "of": tally.drawn}))
            else:
                print(f"{told:64} {tally}", flush=True)


if __name__ == "__main__":
    main()
