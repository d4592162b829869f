"""Exponents that fit a law about as well as the best ones do, and what follows. Free of torch.

Intervals hold 95% and are profiles of the squared relative residual: a value is inside where
some choice of all other parameters, the irreducible loss among them, fits so well that an F test
at 5% does not reject it. Nothing is assumed of the law's own curvature, nothing is chosen before,
and few runs give wide intervals, or ends that are open. n runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEVEL = 0.95
EXPONENTS = (0.02, 3.0)
"""Sizes of exponents that are looked at; an interval that reaches an end of them is open."""
_GRID = {1: 2001, 2: 61}
"""Points a side, by the number of exponents."""
_COARSE = 41
_NEAREST = 1.001
"""The region is first looked for within this factor of the best exponents."""
_EXACT = 1e-12
"""Mean squared residual below which a fit counts as exact."""


def _signed(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Of 95%; a null end is one that the runs do not set."""

    low: float | None
    high: float | None

    @property
    def told(self) -> bool:
        """Whether it says anything."""
        return self.low is not None or self.high is not None

    def text(self, written: Callable[[float], str] = _signed) -> str:
        """Return it as read: "0.18 … 0.25", with a sign for minus, or that nothing is told."""
        low, high = (None if end is None else written(end) for end in (self.low, self.high))
        if low is None and high is None:
            return "cannot be determined"
        if low is None:
            return f"{high} or less"
        return f"{low} or more" if high is None else f"{low} … {high}"

    def reaching(self, value: float) -> Interval:
        """Return it, widened to hold a value."""
        return Interval(
            low=None if self.low is None else min(self.low, value),
            high=None if self.high is None else max(self.high, value),
        )

    def dividing(self, whole: float) -> Interval:
        """Return the interval of `whole` divided by what this is of, above 0."""
        return Interval(
            low=None if self.high is None else whole / self.high,
            high=None if not self.low else whole / self.low,
        )

    def less_than_one(self) -> Interval:
        """Return the interval of one minus what this is of."""
        return Interval(
            low=None if self.high is None else 1 - self.high,
            high=None if self.low is None else 1 - self.low,
        )


OPEN = Interval(low=None, high=None)


@dataclass(frozen=True)
class Linear:
    """Least squares of (Σ c_j terms_j + E)/y − 1 for some exponents, c and E at least 0.

    K candidates, J terms.
    """

    rest: Array
    """(K,) sum of squares of the best."""
    solved: Array
    """(K, J + 1) the best."""
    free: Array
    """(K, J + 1) the best without bounds."""
    free_rest: Array
    """(K,) of those."""
    inverse: Array
    """(K, J + 1, J + 1) of the matrix of the normal equations."""
    pinned: Array
    """(K, J + 1) the best without bounds whose E is 0."""
    pinned_rest: Array
    pinned_inverse: Array
    """(K, J + 1, J + 1), zero in E's row and column."""


def solve(terms: Array, y: Array) -> Linear:
    """Solve for `terms` (K, J, n) and y (n,). Trying every set of those above 0 is exact."""
    K, J, n = terms.shape
    columns = np.concatenate([terms, np.ones((K, 1, n))], axis=1) / y
    gram = columns @ columns.transpose(0, 2, 1)
    right = columns.sum(axis=2)
    rest, solved = np.full(K, np.inf), np.zeros((K, J + 1))
    for kept in _subsets(J + 1):
        square = gram[:, kept][:, :, kept]
        ridge = 1e-14 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(len(kept))
        inverse = np.linalg.inv(square + ridge)
        part = (inverse @ right[:, kept, None])[:, :, 0]
        errors = np.square((part[:, None] @ columns[:, kept])[:, 0] - 1).sum(axis=1)
        full = np.zeros((K, J + 1))
        full[:, kept] = part
        better = (part > 0).all(axis=1) & (errors < rest)
        rest, solved = np.where(better, errors, rest), np.where(better[:, None], full, solved)
        if kept == list(range(J)):
            wide = np.zeros((K, J + 1, J + 1))
            wide[:, :J, :J] = inverse
            pinned = full, errors, wide
    # The last set is that of all.
    return Linear(rest, solved, full, errors, inverse, *pinned)


def _subsets(count: int) -> list[list[int]]:
    return [[i for i in range(count) if mask >> i & 1] for mask in range(1, 2**count)]


@dataclass(frozen=True)
class Ellipsoid:
    """Coefficients c with (c − middle)ᵀ inverse⁻¹ (c − middle) ≤ room, for K candidates."""

    middle: Array
    """(K, J + 1), E last."""
    inverse: Array
    """(K, J + 1, J + 1)."""
    room: Array
    """(K,); below 0 where there are none."""

    def part(self, chosen: Array) -> Ellipsoid:
        """Return it for some of the candidates."""
        return Ellipsoid(self.middle[chosen], self.inverse[chosen], self.room[chosen])


@dataclass(frozen=True)
class Region:
    """The candidates that are not rejected."""

    exponents: tuple[Array, ...]
    """(K,) each: sizes."""
    linear: Linear
    limit: float
    """The largest sum of squares that is not rejected."""
    open_low: tuple[bool, ...]
    open_high: tuple[bool, ...]
    """Whether it reaches the ends of what is looked at, by exponent."""
    scales: tuple[float, ...]
    """What x of each term was divided by; coefficients are those at x / scale."""

    def of(self, values: Array, signs: tuple[int, ...]) -> Interval:
        """Return the interval of something (K,) that the exponents decide.

        `signs`: by exponent, whether it rises (1) or falls (−1) with its size, or neither (0).
        """
        ends = [
            (low, high) if sign > 0 else (high, low)
            for sign, low, high in zip(signs, self.open_low, self.open_high, strict=True)
            if sign
        ]
        open_low, open_high = (any(side) for side in zip(*ends, strict=True))
        return Interval(
            low=None if open_low else float(values.min()),
            high=None if open_high else float(values.max()),
        )

    def of_sum(self, weights: Array) -> Interval:
        """Return the interval of Σ w_j c_j for weights (K, J + 1) of at least 0, E being last."""
        low, high = self.bounds(weights)
        return Interval(low=float(max(0.0, low.min())), high=float(max(0.0, high.max())))

    def bounds(self, weights: Array) -> tuple[Array, Array]:
        """Return the least and the most (K,) that Σ w_j c_j can be without being rejected."""
        middle = (weights * self.linear.free).sum(axis=1)
        variance = (weights[:, None] @ self.linear.inverse @ weights[:, :, None])[:, 0, 0]
        reach = np.sqrt(np.maximum(0.0, (self.limit - self.linear.free_rest) * variance))
        return middle - reach, middle + reach

    def ellipsoids(self) -> tuple[Ellipsoid, Ellipsoid]:
        """Return the coefficients not rejected, E being free, and those with E = 0."""
        one = self.linear
        return (
            Ellipsoid(one.free, one.inverse, self.limit - one.free_rest),
            Ellipsoid(one.pinned, one.pinned_inverse, self.limit - one.pinned_rest),
        )


class Fit:
    """A law whose terms are powers: searched over exponents, solved for the rest."""

    def __init__(self, x: tuple[Array, ...], y: Array) -> None:
        """Take one x (n,) a term, each to the power of minus its exponent, and y (n,)."""
        self._scales = tuple(middle(one) for one in x)
        self._x = tuple(one / scale for one, scale in zip(x, self._scales, strict=True))
        self.y = y
        self._grid = _GRID[len(x)]

    @property
    def parameters(self) -> int:
        return 2 * len(self._x) + 1

    def at(self, exponents: tuple[Array, ...]) -> Linear:
        """Solve for candidates (K,) a term; coefficients are those at x / the middle of x."""
        terms = np.stack(
            [x[None] ** -e[:, None] for x, e in zip(self._x, exponents, strict=True)], axis=1
        )
        return solve(terms, self.y)

    def unscaled(self, coefficients: Array, exponents: tuple[float, ...]) -> list[float]:
        """Return coefficients at x itself, E last."""
        parts = zip(coefficients[:-1], self._scales, exponents, strict=True)
        return [*(float(c * s**e) for c, s, e in parts), float(coefficients[-1])]

    def best(self) -> tuple[tuple[float, ...], Array, float]:
        """Return exponents, coefficients (J + 1,) and the sum of squares of the best fit."""
        from scipy.optimize import minimize

        low, high = np.full((len(self._x), 2), np.log(EXPONENTS)).T
        grid = _box(low, high, _COARSE)
        start = np.log([e[np.argmin(self.at(grid).rest)] for e in grid])

        def rest(logs: Array) -> float:
            return float(self.at(tuple(np.exp(logs)[:, None])).rest[0])

        # Not along gradients: where a coefficient becomes 0 there are none. Twice, since a simplex
        # in a narrow valley may have shrunk before its end.
        for _ in range(2):
            options = {"xatol": 1e-8, "fatol": math.inf}
            start = minimize(
                rest, start, method="Nelder-Mead", bounds=[*zip(low, high, strict=True)],
                options=options,
            ).x  # fmt: skip
        linear = self.at(tuple(np.exp(start)[:, None]))
        return tuple(np.exp(start).tolist()), linear.solved[0], float(linear.rest[0])

    def region(self, best: tuple[float, ...], rest: float) -> Region:
        """Return what is not rejected beside a best fit of that sum of squares."""
        from scipy.stats import f as f_distribution

        n, freedom = len(self.y), len(self.y) - self.parameters
        within = max(rest, n * _EXACT)
        limit = within * (1 + f_distribution.ppf(LEVEL, 1, freedom) / freedom)
        ends = np.log(EXPONENTS)
        low = np.log(best) - math.log(_NEAREST)
        high = np.log(best) + math.log(_NEAREST)
        while True:  # grow until nothing touches the box
            low, high = np.maximum(low, ends[0]), np.minimum(high, ends[1])
            inside, touched_low, touched_high = self._inside(low, high, limit, _COARSE)
            grown_low = np.where(touched_low & (low > ends[0]), low - (high - low), low)
            grown_high = np.where(touched_high & (high < ends[1]), high + (high - low), high)
            if (grown_low == low).all() and (grown_high == high).all():
                break
            low, high = grown_low, grown_high
        for _ in range(2):  # shrink to what is inside
            exponents, steps = inside
            if len(exponents[0]):
                low = np.maximum([np.log(e).min() for e in exponents] - steps, low)
                high = np.minimum([np.log(e).max() for e in exponents] + steps, high)
            inside, touched_low, touched_high = self._inside(low, high, limit, self._grid)
        exponents = tuple(np.append(e, b) for e, b in zip(inside[0], best, strict=True))
        return Region(
            exponents=exponents,
            linear=self.at(exponents),
            limit=float(limit),
            open_low=tuple((touched_low & (low <= ends[0])).tolist()),
            open_high=tuple((touched_high & (high >= ends[1])).tolist()),
            scales=self._scales,
        )

    def _inside(
        self, low: Array, high: Array, limit: float, size: int
    ) -> tuple[tuple[tuple[Array, ...], Array], Array, Array]:
        """Return the candidates of a box inside, their steps, and whether its sides are touched."""
        exponents = _box(low, high, size)
        kept = self.at(exponents).rest <= limit
        exponents = tuple(e[kept] for e in exponents)
        steps = (high - low) / (size - 1)
        if not kept.any():
            nothing = np.zeros(len(low), bool)
            return (exponents, steps), nothing, nothing
        touched_low = np.array([np.log(e).min() for e in exponents]) < low + steps / 2
        touched_high = np.array([np.log(e).max() for e in exponents]) > high - steps / 2
        return (exponents, steps), touched_low, touched_high


def _box(low: Array, high: Array, size: int) -> tuple[Array, ...]:
    sides = [np.exp(np.linspace(a, b, size)) for a, b in zip(low, high, strict=True)]
    return tuple(axis.ravel() for axis in np.meshgrid(*sides, indexing="ij"))


def middle(x: Array) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.log(x).mean()))
