"""Fits of power laws, with intervals. Free of torch.

A law without an irreducible term is a straight line in logs, its interval that of Student's t.
Where there may be such a term, the interval of the exponent leaves it free, whether or not the
runs tell it from 0: a law that flattens out is steeper than the line through its points. See
`region.py`; all intervals hold 95%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.training.sweeps.predicted import Predict, of_best_size, of_law, of_line, of_surface
from sae_desktop.training.sweeps.region import LEVEL, Array, Fit, Interval, Region

FEWEST_POINTS = 4
"""Different x below which a power law of two parameters says nothing."""
_FEWEST_FOR_SURFACE = 7
_FEWEST_SIDES = 3
"""Different numbers of features, and of steps, for a surface."""


class PowerLaw(msgspec.Struct, frozen=True, kw_only=True):
    """y = coefficient · x^exponent + irreducible."""

    coefficient: float
    exponent: float
    irreducible: float | None
    """Null where the runs do not tell one from 0."""
    exponent_interval: Interval
    irreducible_interval: Interval | None
    """Null where the law can have none."""
    residuals: list[float]
    """log(y / fit) of each point, by rising x."""
    points: int

    @property
    def spread(self) -> float:
        """Root mean square of the residuals: 0.01 is one per cent."""
        return math.sqrt(sum(r * r for r in self.residuals) / max(1, len(self.residuals)))

    def interval_text(self) -> str:
        """Return in words what is 95% sure: "exponent −0.21, 95% interval −0.25 … −0.18"."""
        exponent = f"exponent {self.exponent:.3f}".replace("-", "−")
        if not self.exponent_interval.told:
            return f"{exponent}; its uncertainty cannot be estimated from these runs"
        text = f"{exponent}, 95% interval {self.exponent_interval.text()}"
        floor = self.irreducible_interval
        if floor is None:
            return text
        if self.irreducible is None or not floor.low:
            return f"{text}, allowing for an irreducible loss of 0 … {floor.high:.3g}"
        return f"{text}; irreducible loss {self.irreducible:.3g}, 95% interval {floor.text()}"

    def at(self, x: float) -> float:
        return float(self.coefficient * x**self.exponent + (self.irreducible or 0.0))


class Surface(msgspec.Struct, frozen=True, kw_only=True):
    """loss = A·features^−α + B·steps^−β + irreducible, and what follows from it."""

    A: float
    alpha: float
    B: float
    beta: float
    irreducible: float
    alpha_interval: Interval
    beta_interval: Interval
    irreducible_interval: Interval
    best_loss: PowerLaw
    """At the best size, in compute; its exponent is −αβ/(α+β)."""
    best_features: PowerLaw
    """In compute; its exponent is β/(α+β)."""
    best_steps: PowerLaw
    residuals: list[float]
    points: int

    @property
    def variance(self) -> float:
        """Of the residuals, the parameters spent taken off."""
        return math.fsum(r * r for r in self.residuals) / (self.points - 5)


def predicting_power_law(
    x: Sequence[float], y: Sequence[float], *, what: str, irreducible: bool = False
) -> tuple[PowerLaw, Predict]:
    """Fit y = c·x^e by least squares of log y; return it and the interval of y at an x.

    `irreducible`: whether there may be a term E ≥ 0 beside it, where e < 0. The exponent's
    interval then leaves E free, and E is given where it is told from 0. Raises UserError for
    fewer than `FEWEST_POINTS` different x.
    """
    order = np.argsort(np.asarray(x, dtype=np.float64), kind="stable")
    xs = np.asarray(x, dtype=np.float64)[order]
    ys = np.asarray(y, dtype=np.float64)[order]
    _require(len(np.unique(xs)), FEWEST_POINTS, what)
    plain = _straight(xs, ys)
    if not irreducible or plain.exponent >= 0:
        return plain, of_line(xs, ys)
    fit = Fit((xs,), ys)
    best, coefficients, rest = fit.best()
    region = fit.region(best, rest)
    floor = _irreducible(region)
    interval = region.of(-region.exponents[0], (-1,))
    c, e, E = plain.coefficient, plain.exponent, None
    if floor.low:
        (c, E), e = fit.unscaled(coefficients, best), -best[0]
    law = PowerLaw(
        coefficient=c,
        exponent=e,
        irreducible=E,
        exponent_interval=interval.reaching(e),
        irreducible_interval=floor,
        residuals=np.log(ys / (c * xs**e + (E or 0.0))).tolist(),
        points=len(xs),
    )
    return law, of_law(region)


def _straight(x: Array, y: Array) -> PowerLaw:
    """Fit a straight line in logs, its interval by Student's t."""
    from scipy.stats import linregress, t

    line = linregress(np.log(x), np.log(y))
    exponent, reach = float(line.slope), float(t.ppf((1 + LEVEL) / 2, len(x) - 2) * line.stderr)
    return PowerLaw(
        coefficient=math.exp(line.intercept),
        exponent=exponent,
        irreducible=None,
        exponent_interval=Interval(low=exponent - reach, high=exponent + reach),
        irreducible_interval=None,
        residuals=(np.log(y) - line.intercept - exponent * np.log(x)).tolist(),
        points=len(x),
    )


def predicting_surface(
    features: Sequence[float], steps: Sequence[float], loss: Sequence[float]
) -> tuple[Surface, Predict, Predict]:
    """Fit loss = A·features^−α + B·steps^−β + E, all of A, B, E ≥ 0, by relative residuals.

    Return it and the intervals of the least loss and of the features that reach it at a compute.
    At compute C = features · steps the loss is least at features = G·C^(β/(α+β)),
    G = (αA/βB)^(1/(α+β)) (Hoffmann et al., 2022, approach 3). Raises UserError for fewer than
    7 runs, 3 numbers of features or 3 of steps, or where one of the two makes no difference.
    """
    f, s, y = (np.asarray(v, dtype=np.float64) for v in (features, steps, loss))
    _require(len(y), _FEWEST_FOR_SURFACE, "the surface over features and steps")
    _require(len(np.unique(f)), _FEWEST_SIDES, "the surface", "numbers of features")
    _require(len(np.unique(s)), _FEWEST_SIDES, "the surface", "numbers of steps")
    fit = Fit((f, s), y)
    best, coefficients, rest = fit.best()
    (alpha, beta), (A, B, E) = best, fit.unscaled(coefficients, best)
    if A <= 0 or B <= 0:
        side = "features" if A <= 0 else "steps"
        raise UserError(f"The loss does not fall with more {side} over these runs.")
    region = fit.region(best, rest)
    a, b = region.exponents
    residuals = np.log(y / (A * f**-alpha + B * s**-beta + E)).tolist()
    floor = _irreducible(region)

    def law(c: float, e: float, interval: Interval, *, flattens: bool = False) -> PowerLaw:
        return PowerLaw(
            coefficient=c,
            exponent=e,
            irreducible=E if flattens and E > 0 else None,
            exponent_interval=interval,
            irreducible_interval=floor if flattens else None,
            residuals=residuals if flattens else [],
            points=len(y),
        )

    g, exponent = (alpha * A / (beta * B)) ** (1 / (alpha + beta)), beta / (alpha + beta)
    at_best = A * g**-alpha + B * g**beta
    share = region.of(b / (a + b), (-1, 1))
    surface = Surface(
        A=A,
        alpha=alpha,
        B=B,
        beta=beta,
        irreducible=E,
        alpha_interval=region.of(a, (1, 0)),
        beta_interval=region.of(b, (0, 1)),
        irreducible_interval=floor,
        best_loss=law(
            at_best, -alpha * exponent, region.of(-a * b / (a + b), (-1, -1)), flattens=True
        ),
        best_features=law(g, exponent, share),
        best_steps=law(1 / g, 1 - exponent, share.less_than_one()),
        residuals=residuals,
        points=len(y),
    )
    return surface, of_surface(region, surface.best_features.at), of_best_size(region)


def _irreducible(region: Region) -> Interval:
    weights = np.zeros_like(region.linear.solved)
    weights[:, -1] = 1.0
    return region.of_sum(weights)


def _require(there: int, needed: int, what: str, of: str = "runs that differ") -> None:
    if there < needed:
        raise UserError(
            f"There are {there} {of}, but {what} needs {needed}.",
            next_step="Add values to the sweep and run it again.",
        )
