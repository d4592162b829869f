"""What laws say at a budget: ends of intervals beside searches and tests of another making."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize, nnls
from scipy.stats import f as f_distribution
from scipy.stats import t

from sae_desktop.training.sweeps.power_law import predicting_power_law, predicting_surface
from sae_desktop.training.sweeps.region import Fit
from sae_desktop.training.sweeps.scaling import ScalingPoint, optimum
from sae_desktop.training.sweeps.valleys import fit_valleys


def noise(count: int, size: float) -> np.ndarray:
    return np.exp(size * np.random.default_rng(0).standard_normal(count))


def test_line__interval_at_a_budget_is_that_of_the_mean_of_a_regression() -> None:
    x = np.geomspace(1e5, 1e9, 6)
    y = 7.0 * x**-0.13 * noise(6, 0.01)
    told = predicting_power_law(list(x), list(y), what="loss")[1](1e11)
    table = np.column_stack([np.ones(6), np.log(x)])
    inverse = np.linalg.inv(table.T @ table)
    solved = inverse @ table.T @ np.log(y)
    rest = np.log(y) - table @ solved
    at = np.array([1.0, math.log(1e11)])
    reach = t.ppf(0.975, 4) * math.sqrt(rest @ rest / 4 * (at @ inverse @ at))
    assert told.low == pytest.approx(math.exp(at @ solved - reach))
    assert told.high == pytest.approx(math.exp(at @ solved + reach))


@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_law_with_a_floor__interval_at_a_budget_is_all_that_an_F_test_leaves(floor: float) -> None:
    x, budget = np.geomspace(1e5, 1e8, 8), 1e9
    y = (8.0 * x**-0.25 + floor) * noise(8, 0.01)
    told = predicting_power_law(list(x), list(y), what="loss", irreducible=True)[1](budget)

    def rest(value: float) -> float:
        """The least sum of squares with c·budget^−e + E = value and c, E of at least 0."""
        found = math.inf
        for e in np.linspace(0.05, 1.5, 1000):
            power, at = (x / 1e6) ** -e, (budget / 1e6) ** -e
            column, target = (power - at) / y, 1 - value / y
            c = min(max(float(column @ target / (column @ column)), 0.0), value / at)
            found = min(found, float(np.square(column * c - target).sum()))
        return found

    middle = min(rest(v) for v in np.linspace(0.9, 1.1, 41) * (8.0 * budget**-0.25 + floor))
    limit = middle * (1 + f_distribution.ppf(0.95, 1, 5) / 5)
    for end in (told.low, told.high):
        assert end is not None
        assert rest(end) == pytest.approx(limit, rel=0.05)


@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_surface__intervals_at_a_budget_are_all_that_an_F_test_leaves(floor: float) -> None:
    grid = np.array([(256.0 * 2**i, 500.0 * 2**j) for i in range(4) for j in range(4)])
    f, s = grid[:, 0] / 1e3, grid[:, 1] / 1e3
    y = (0.6 * f**-0.5 + 0.3 * s**-0.6 + floor) * noise(16, 0.01)
    _, loss_at, features_at = predicting_surface(grid[:, 0], grid[:, 1], y)
    budget = 1e8
    loss, features = loss_at(budget), features_at(budget)

    def rest(p: np.ndarray) -> float:
        a, b, A, B, E = p
        return float(np.square((A * f**-a + B * s**-b + E) / y - 1).sum())

    def least(p: np.ndarray) -> float:
        a, b, A, B, E = p
        size = (math.log(a * A / (b * B)) + b * math.log(budget / 1e6)) / (a + b)
        return float(A * math.exp(-a * size) + B * (budget / 1e6 / math.exp(size)) ** -b + E)

    def searched(misfit: Callable[[np.ndarray], float], *starts: np.ndarray) -> float:
        """Return the least misfit, by a simplex that begins anew where it ended."""
        found = math.inf
        for start in starts:
            at = np.log(start)
            for _ in range(6):
                at = minimize(
                    misfit, at, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
                ).x
            found = min(found, misfit(at))
        return found

    def with_loss(value: float) -> Callable[[np.ndarray], float]:
        def misfit(logs: np.ndarray) -> float:
            p = np.append(np.exp(logs), 0.0)
            E = value - least(p)
            return rest(np.append(p[:4], E)) if E >= 0 else 1e9

        return misfit

    def with_size(size: float) -> Callable[[np.ndarray], float]:
        def misfit(logs: np.ndarray) -> float:
            a, b = np.exp(logs)
            A = b / a * math.exp(size * (a + b) - b * math.log(budget / 1e6))  # for a B of 1
            table = np.column_stack([(A * f**-a + s**-b) / y, 1 / y])
            return float(nnls(table, np.ones(16))[1] ** 2)

        return misfit

    start = np.array([0.5, 0.6, 0.6, 0.3])
    free = searched(lambda logs: rest(np.exp(logs)), np.append(start, floor + 1e-4))
    limit = free * (1 + f_distribution.ppf(0.95, 1, 11) / 11)
    for end in (loss.low, loss.high):
        assert end is not None
        starts = [np.array([e, e, 0.8 * c, 0.4 * c]) for e in (0.4, 0.6) for c in (0.5, 0.8)]
        assert searched(with_loss(end), *starts) == pytest.approx(limit, rel=0.04)
    for end in (features.low, features.high):
        assert end is not None
        size = math.log(end / 1e3)
        assert searched(with_size(size), start[:2]) == pytest.approx(limit, rel=0.04)


def test_surface__whose_sizes_make_little_difference_has_an_open_best_size() -> None:
    grid = np.array([(256.0 * 2**i, 500.0 * 2**j) for i in range(3) for j in range(3)])
    y = (2.0 + 1e-3 * (grid[:, 0] / 1e3) ** -0.5 + (grid[:, 1] / 1e3) ** -0.5) * noise(9, 0.01)
    told = predicting_surface(grid[:, 0], grid[:, 1], y)[2](1e8)
    assert told.low is None or told.high is None


def test_valleys__interval_at_a_budget_is_all_that_a_t_test_does_not_reject() -> None:
    group = np.repeat(np.arange(5), 4)
    compute = np.geomspace(1e5, 1e9, 5)[group]
    setting = np.tile([0.5, 1.0, 2.0, 4.0], 5) * compute**0.3
    loss = np.exp(0.2 * np.log(setting / compute**0.32) ** 2) * noise(20, 0.02)
    found = fit_valleys(group, setting, compute, loss)
    assert found is not None
    told = found.predict(1e11)
    for end in (told.low, told.high):
        assert end is not None
        # Seen from the end and the budget, the parabola's own slope is 0 where they are right.
        u, c = np.log(setting / end), np.log(compute / 1e11)
        table = np.column_stack([np.eye(5)[group], u**2, u * c, u])
        inverse = np.linalg.inv(table.T @ table)
        solved = inverse @ table.T @ np.log(loss)
        rest = np.log(loss) - table @ solved
        error = math.sqrt(inverse[-1, -1] * (rest @ rest) / 12)
        assert abs(solved[-1]) / error == pytest.approx(t.ppf(0.975, 12), rel=1e-3)


def test_optimum__of_runs_that_compete_says_that_its_loss_is_not_sure() -> None:
    points = [
        ScalingPoint(features=64 * f, steps=100 * s, lr=1e-3, loss=3 * (f * s) ** -0.2)
        for f in (1, 2, 4, 8)
        for s in (1, 2)
    ]
    best = optimum(points, 1e6)
    assert not best.loss_interval.told
    assert best.features_interval is None


def test_optimum__steps_are_the_budget_over_the_features() -> None:
    points = [
        ScalingPoint(
            features=int(f),
            steps=int(s),
            lr=1e-3,
            loss=20 * f**-0.5 + 15 * s**-0.6 + 0.05 * (i % 2),
        )
        for i, (f, s) in enumerate((256 * 2**a, 500 * 2**b) for a in range(4) for b in range(4))
    ]
    best = optimum(points, 1e9)
    features, steps = best.features_interval, best.steps_interval
    assert features is not None
    assert steps is not None
    assert features.low is not None
    assert steps.high == pytest.approx(1e9 / features.low)
    assert best.loss_interval.low < best.loss < best.loss_interval.high  # type: ignore[operator]
    assert "from the scatter of the runs" in best.said_of_intervals()


def test_optimum__says_how_far_a_single_run_is_off_the_loss() -> None:
    grid = [(256 * 2**a, 500 * 2**b) for a in range(4) for b in range(3)]
    spreads = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        spreads.append(
            optimum(
                [
                    ScalingPoint(
                        features=f, steps=s, lr=1e-3,
                        loss=(20 * f**-0.5 + 15 * s**-0.6) * math.exp(0.02 * rng.standard_normal()),
                    )
                    for f, s in grid
                ],
                1e8,
            ).spread
        )  # fmt: skip
    # The residuals' own root mean square is .65 of it: five parameters of twelve runs.
    assert np.sqrt(np.mean(np.square(spreads))) == pytest.approx(0.02, rel=0.2)


def test_best_fit__is_the_end_of_a_narrow_valley() -> None:
    """Where features hardly matter, their exponent goes along with the rest: far, for little."""
    draw = np.random.default_rng(19)
    features = np.repeat([1e3, 2e3, 4e3, 8e3], 4)
    steps = np.tile([500.0, 1000.0, 2000.0, 4000.0], 4)
    A, alpha, B, beta, E = (
        draw.uniform(*ends) for ends in ((1, 20), (0.15, 0.9), (1, 50), (0.15, 0.9), (0, 0.4))
    )
    noise = np.exp(draw.normal(0, 0.01, 16))
    loss = (A * features**-alpha + B * steps**-beta + E) * noise
    fit = Fit((features, steps), loss)
    best, _, rest = fit.best()
    fine = np.exp(np.linspace(np.log(0.02), np.log(3.0), 160))
    grid = tuple(axis.ravel() for axis in np.meshgrid(fine, fine, indexing="ij"))
    assert rest <= fit.at(grid).rest.min()
    assert best == pytest.approx((0.31438, 0.18801), rel=1e-3)
