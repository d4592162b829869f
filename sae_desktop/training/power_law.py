"""Fits of power laws, with intervals. Free of torch.

Intervals hold 95% and come from a residual bootstrap: the fit is repeated on its own values
with its own relative residuals, widened for the parameters spent, drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError

FEWEST_POINTS = 4
"""Different x below which a power law of two parameters says nothing."""
_FEWEST_WITH_FLOOR = 6
_FEWEST_FOR_SURFACE = 7
_FEWEST_SIDES = 3
"""Different numbers of features, and of steps, for a surface."""
_DRAWS = 300
_CLEAR = 2.0
"""By how much a corrected Akaike criterion must fall for a further parameter."""
_EXPONENTS = (0.02, 3.0)
_GRID, _ZOOMS = 21, 7
_NEAR, _NEAR_GRID, _NEAR_ZOOMS = 2.0, 9, 4
"""Redrawn data are searched within this factor of the exponents found, more coarsely."""
_EXACT = 1e-12
"""Mean squared residual below which a fit counts as exact."""

Array = npt.NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    high: float


class PowerLaw(msgspec.Struct, frozen=True, kw_only=True):
    """y = coefficient · x^exponent + irreducible."""

    coefficient: float
    exponent: float
    irreducible: float | None
    """Null where the data do not ask for it."""
    exponent_interval: Interval
    coefficient_interval: Interval
    irreducible_interval: Interval | None
    residuals: list[float]
    """log(y / fit) of each point, by rising x."""
    points: int

    @property
    def spread(self) -> float:
        """Root mean square of the residuals: 0.01 is one per cent."""
        return math.sqrt(sum(r * r for r in self.residuals) / max(1, len(self.residuals)))

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
    best_features: PowerLaw
    """In compute; its exponent is β/(α+β)."""
    best_steps: PowerLaw
    residuals: list[float]
    points: int


def fit_power_law(
    x: Sequence[float],
    y: Sequence[float],
    *,
    what: str,
    irreducible: bool | None = False,
    seed: int = 0,
) -> PowerLaw:
    """Fit y = c·x^e by least squares of log y, or y = c·x^e + E with E > 0 and e < 0.

    `irreducible`: whether to fit E; None lets the data decide, by the corrected Akaike
    criterion. Raises UserError for fewer than `FEWEST_POINTS` different x.
    """
    order = np.argsort(np.asarray(x, dtype=np.float64), kind="stable")
    xs = np.asarray(x, dtype=np.float64)[order]
    ys = np.asarray(y, dtype=np.float64)[order]
    _require(len(np.unique(xs)), FEWEST_POINTS, what)
    plain = _straight(xs, ys)
    chosen, floor = plain, False
    if irreducible is not False and (irreducible or len(np.unique(xs)) >= _FEWEST_WITH_FLOOR):
        with_floor = _with_floor(xs, ys)
        better = _akaike(xs, ys, plain, 2) - _akaike(xs, ys, with_floor, 3) > _CLEAR
        if irreducible or (better and with_floor[2] > 0):
            chosen, floor = with_floor, True
    residuals = np.log(ys / _curve(xs, chosen))
    draws = _redrawn(_curve(xs, chosen), residuals, 3 if floor else 2, seed)
    c, e, E = chosen
    fits = np.array([_with_floor(xs, d, -e) if floor else _straight(xs, d) for d in draws])
    return PowerLaw(
        coefficient=c,
        exponent=e,
        irreducible=E if floor else None,
        exponent_interval=_interval(fits[:, 1]),
        coefficient_interval=_interval(fits[:, 0]),
        irreducible_interval=_interval(fits[:, 2]) if floor else None,
        residuals=residuals.tolist(),
        points=len(xs),
    )


def fit_surface(
    features: Sequence[float], steps: Sequence[float], loss: Sequence[float], *, seed: int = 0
) -> Surface:
    """Fit loss = A·features^−α + B·steps^−β + E, all of A, B, E ≥ 0, by relative residuals.

    At compute C = features · steps the loss is least at features = G·C^(β/(α+β)),
    G = (αA/βB)^(1/(α+β)) (Hoffmann et al., 2022, approach 3). Raises UserError for fewer than
    7 runs, 3 numbers of features or 3 of steps, or where one of the two makes no difference.
    """
    f, s, y = (np.asarray(v, dtype=np.float64) for v in (features, steps, loss))
    _require(len(y), _FEWEST_FOR_SURFACE, "the surface over features and steps")
    _require(len(np.unique(f)), _FEWEST_SIDES, "the surface", "numbers of features")
    _require(len(np.unique(s)), _FEWEST_SIDES, "the surface", "numbers of steps")
    fitted = _surface(f, s, y)
    if fitted[0] <= 0 or fitted[2] <= 0:
        side = "features" if fitted[0] <= 0 else "steps"
        raise UserError(f"The loss does not fall with more {side} over these runs.")
    A, alpha, B, beta, E = (float(v) for v in fitted)
    values = _surface_at(f, s, fitted)
    residuals = np.log(y / values)
    draws = _redrawn(values, residuals, 5, seed)
    fits = np.array([_surface(f, s, d, (alpha, beta)) for d in draws])
    fits = fits[(fits[:, 0] > 0) & (fits[:, 2] > 0)]
    exponents = fits[:, 3] / (fits[:, 1] + fits[:, 3])
    G = (fits[:, 1] * fits[:, 0] / (fits[:, 3] * fits[:, 2])) ** (1 / (fits[:, 1] + fits[:, 3]))
    g, exponent = (alpha * A / (beta * B)) ** (1 / (alpha + beta)), beta / (alpha + beta)

    def law(c: float, e: float, cs: Array, es: Array) -> PowerLaw:
        return PowerLaw(
            coefficient=c,
            exponent=e,
            irreducible=None,
            exponent_interval=_interval(es),
            coefficient_interval=_interval(cs),
            irreducible_interval=None,
            residuals=[],
            points=len(y),
        )

    return Surface(
        A=A,
        alpha=alpha,
        B=B,
        beta=beta,
        irreducible=E,
        alpha_interval=_interval(fits[:, 1]),
        beta_interval=_interval(fits[:, 3]),
        best_features=law(g, exponent, G, exponents),
        best_steps=law(1 / g, 1 - exponent, 1 / G, 1 - exponents),
        residuals=residuals.tolist(),
        points=len(y),
    )


def parabola_minimum(x: Sequence[float], y: Sequence[float]) -> tuple[float, float] | None:
    """Return (x, y) of the least of a parabola in log x and log y; None if not between the x."""
    log_x = np.log(np.asarray(x, dtype=np.float64))
    log_y = np.log(np.asarray(y, dtype=np.float64))
    if len(np.unique(log_x)) < 3:
        return None
    middle = log_x.mean()
    a, b, c = np.polyfit(log_x - middle, log_y, 2)
    if a <= 0:
        return None
    least = -b / (2 * a)
    if not log_x.min() - middle < least < log_x.max() - middle:
        return None
    return float(np.exp(least + middle)), float(np.exp(c - b * b / (4 * a)))


def _require(there: int, needed: int, what: str, of: str = "runs that differ") -> None:
    if there < needed:
        raise UserError(
            f"There are {there} {of}, and {what} needs {needed}.",
            next_step="Add values to the sweep and run it again.",
        )


Parameters = tuple[float, float, float]


def _curve(x: Array, p: Parameters) -> Array:
    return np.asarray(p[0] * x ** p[1] + p[2])


def _straight(x: Array, y: Array) -> Parameters:
    exponent, log_c = np.polyfit(np.log(x), np.log(y), 1)
    return float(np.exp(log_c)), float(exponent), 0.0


def _with_floor(x: Array, y: Array, near: float | None = None) -> Parameters:
    """Least squares of relative residuals; linear in c and E, so only e is searched."""
    best_rest, best = math.inf, (math.nan, math.nan, math.nan)
    scale = _middle(x)
    for exponents in _Zoom(near):
        terms = ((x / scale) ** -exponents.grid[:, None])[:, None, :]
        rest, solved = _solve(terms, y)
        at = int(np.argmin(rest))
        if rest[at] < best_rest:
            e = float(exponents.grid[at])
            best_rest = float(rest[at])
            best = (float(solved[at, 0] * scale**e), -e, float(solved[at, 1]))
        exponents.narrow(at)
    return best


def _surface(f: Array, s: Array, y: Array, near: tuple[float, float] | None = None) -> Array:
    """Return (A, α, B, β, E); linear in A, B and E, so only α and β are searched."""
    best_rest, best = math.inf, np.full(5, np.nan)
    at_f, at_s = _middle(f), _middle(s)
    near_alpha, near_beta = near if near is not None else (None, None)
    for alphas, betas in zip(_Zoom(near_alpha), _Zoom(near_beta), strict=True):
        by_f = (f / at_f) ** -alphas.grid[:, None]
        by_s = (s / at_s) ** -betas.grid[:, None]
        size = len(by_s)
        pairs = np.stack([np.repeat(by_f, size, axis=0), np.tile(by_s, (len(by_f), 1))], axis=1)
        rest, solved = _solve(pairs, y)
        i, j = divmod(int(np.argmin(rest)), size)
        if rest.min() < best_rest:
            A, B, E = solved[i * size + j]
            alpha, beta = alphas.grid[i], betas.grid[j]
            best_rest = float(rest.min())
            best = np.array([A * at_f**alpha, alpha, B * at_s**beta, beta, E])
        alphas.narrow(i)
        betas.narrow(j)
    return best


class _Zoom:
    """Ever narrower grids of an exponent's size: narrow each around its best number."""

    def __init__(self, near: float | None) -> None:
        self._left = _ZOOMS if near is None else _NEAR_ZOOMS
        self._size = _GRID if near is None else _NEAR_GRID
        low, high = _EXPONENTS if near is None else (near / _NEAR, near * _NEAR)
        self.grid: Array = np.geomspace(low, high, self._size)

    def __iter__(self) -> Iterator[_Zoom]:
        for _ in range(self._left):
            yield self

    def narrow(self, at: int) -> None:
        low, high = self.grid[max(0, at - 1)], self.grid[min(self._size - 1, at + 1)]
        self.grid = np.geomspace(low, high, self._size)


def _middle(x: Array) -> float:
    return float(np.exp(np.log(x).mean()))


def _surface_at(f: Array, s: Array, p: Array) -> Array:
    return np.asarray(p[0] * f ** -p[1] + p[2] * s ** -p[3] + p[4])


def _solve(terms: Array, y: Array) -> tuple[Array, Array]:
    """Least squares of (Σ c_j terms_j + E)/y − 1 with all c_j, E ≥ 0.

    `terms`: (candidates, J, points). Returns the mean squared residual (candidates,) and
    (candidates, J + 1). With so few columns, trying every set of those above 0 is exact.
    """
    candidates, J, n = terms.shape
    columns = np.concatenate([terms, np.ones((candidates, 1, n))], axis=1) / y
    gram = columns @ columns.transpose(0, 2, 1)
    right = columns.sum(axis=2)
    rest = np.full(candidates, np.inf)
    solved = np.zeros((candidates, J + 1))
    for kept in _subsets(J + 1):
        square = gram[:, kept][:, :, kept]
        ridge = 1e-14 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(len(kept))
        part = np.linalg.solve(square + ridge, right[:, kept, None])[:, :, 0]
        errors = np.maximum(0.0, 1 - (right[:, kept] * part).sum(axis=1) / n)
        full = np.zeros((candidates, J + 1))
        full[:, kept] = part
        better = (part > 0).all(axis=1) & (errors < rest)
        rest, solved = np.where(better, errors, rest), np.where(better[:, None], full, solved)
    return rest, solved


def _subsets(count: int) -> list[list[int]]:
    return [[i for i in range(count) if mask >> i & 1] for mask in range(1, 2**count)]


def _akaike(x: Array, y: Array, p: Parameters, parameters: int) -> float:
    """Return the Akaike criterion with its correction for few points."""
    n = len(x)
    rest = max(_EXACT, float(np.square(np.log(y / _curve(x, p))).mean()))
    used = parameters + 1
    return n * math.log(rest) + 2 * used + 2 * used * (used + 1) / max(1, n - used - 1)


def _redrawn(values: Array, residuals: Array, parameters: int, seed: int) -> Array:
    """Return (draws, points) data sets like the one that was fitted."""
    n = len(values)
    widened = residuals * math.sqrt(n / max(1, n - parameters))
    generator: Any = np.random.Generator(np.random.PCG64(seed))
    return np.asarray(values * np.exp(generator.choice(widened, size=(_DRAWS, n))))


def _interval(values: Array) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))
