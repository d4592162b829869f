"""Scaling laws and Pareto fronts on curves whose exponents are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.training.sweeps.pareto import front_of, pareto_front
from sae_desktop.training.sweeps.power_law import (
    PowerLaw,
    Surface,
    predicting_power_law,
    predicting_surface,
)
from sae_desktop.training.sweeps.region import Interval
from sae_desktop.training.sweeps.scaling import ScalingPoint, frontier, optimum, scaling_laws
from sae_desktop.training.sweeps.scaling_report import series_of
from sae_desktop.training.sweeps.sweep_config import SweepRow
from sae_desktop.training.sweeps.valleys import fit_valleys

DOUBLINGS = [2**i for i in range(6)]


def fit_power_law(*points: list[float], what: str, irreducible: bool = False) -> PowerLaw:
    return predicting_power_law(*points, what=what, irreducible=irreducible)[0]


def fit_surface(*runs: list[float]) -> Surface:
    return predicting_surface(*runs)[0]


def row(**changed: object) -> SweepRow:
    settings: dict[str, object] = {
        "dictionary": "d",
        "architecture": "topk",
        "features": 64,
        "k": 4,
        "sparsity": None,
        "lr": 1e-3,
        "tokens": 1000,
        "batch": 10,
        "seed": 0,
        "state": "done",
        "steps": 100,
        "loss": 1.0,
    }
    return SweepRow(**{**settings, **changed})  # type: ignore[arg-type]


def noise(count: int, size: float) -> np.ndarray:
    return np.exp(size * np.random.default_rng(0).standard_normal(count))


def test_power_law__recovers_a_known_exponent_within_its_interval() -> None:
    x = np.geomspace(1e5, 1e9, 9)
    law = fit_power_law(list(x), list(7.0 * x**-0.13 * noise(9, 0.01)), what="loss")
    assert law.exponent == pytest.approx(-0.13, abs=0.005)
    assert within(-0.13, law.exponent_interval)
    assert 0.003 < law.spread < 0.02
    assert law.at(1e10) == pytest.approx(7.0 * 1e10**-0.13, rel=0.05)


def test_power_law__interval_is_that_of_an_independent_regression() -> None:
    from scipy.stats import linregress, t

    x = np.geomspace(1e5, 1e9, 5)
    y = 7.0 * x**-0.13 * noise(5, 0.01)
    law = fit_power_law(list(x), list(y), what="loss")
    line = linregress(np.log(x), np.log(y))
    assert law.exponent == pytest.approx(line.slope)
    reach = t.ppf(0.975, 3) * line.stderr
    assert law.exponent_interval.low == pytest.approx(line.slope - reach)
    assert law.exponent_interval.high == pytest.approx(line.slope + reach)


def test_power_law__finds_an_irreducible_term_only_where_there_is_one() -> None:
    x = np.geomspace(1e5, 1e9, 9)
    with_floor = 900.0 * x**-0.5 + 0.3
    found = fit_power_law(list(x), list(with_floor), what="loss", irreducible=True)
    assert found.irreducible == pytest.approx(0.3, rel=1e-3)
    assert found.exponent == pytest.approx(-0.5, rel=1e-3)
    assert "irreducible loss 0.3, 95% interval 0.3 … 0.3" in found.interval_text()
    plain = fit_power_law(
        list(x), list(7.0 * x**-0.13 * noise(9, 0.01)), what="loss", irreducible=True
    )
    assert plain.irreducible is None
    assert plain.irreducible_interval is not None
    assert plain.irreducible_interval.low == 0
    assert "allowing for an irreducible loss of 0 … " in plain.interval_text()


def test_power_law__of_few_points_does_not_tell_an_irreducible_term_and_says_how_little() -> None:
    x = np.geomspace(1e5, 1e7, 4)
    y = (8.0 * x**-0.25 + 0.05) * noise(4, 0.01)
    law = fit_power_law(list(x), list(y), what="loss", irreducible=True)
    assert law.irreducible is None
    assert within(-0.25, law.exponent_interval)
    straight = fit_power_law(list(x), list(y), what="loss")
    assert straight.exponent == law.exponent
    assert law.exponent_interval.low < straight.exponent_interval.low
    assert not within(-0.25, straight.exponent_interval)


def test_power_law__interval_is_all_that_an_F_test_does_not_reject() -> None:
    from scipy.optimize import nnls
    from scipy.stats import f

    x = np.geomspace(1e5, 1e8, 8)
    y = (8.0 * x**-0.25 + 0.05) * noise(8, 0.01)
    law = fit_power_law(list(x), list(y), what="loss", irreducible=True)

    def rest(exponent: float) -> float:
        table = np.column_stack([(x / 1e6) ** exponent / y, 1 / y])
        return float(nnls(table, np.ones(8))[1] ** 2)

    least = min(rest(e) for e in np.linspace(-0.6, -0.1, 2001))
    limit = least * (1 + f.ppf(0.95, 1, 5) / 5)
    for end in (law.exponent_interval.low, law.exponent_interval.high):
        assert end is not None
        assert rest(end) == pytest.approx(limit, rel=0.02)


def within(value: float, interval: Interval) -> bool:
    return (interval.low is None or interval.low < value) and (
        interval.high is None or value < interval.high
    )


def test_power_law__refuses_three_points_and_repeats_of_them() -> None:
    with pytest.raises(UserError, match="There are 3 runs that differ, but the loss needs 4"):
        fit_power_law([1.0, 2.0, 3.0, 3.0], [3.0, 2.0, 1.0, 1.1], what="the loss")


def test_surface__recovers_the_exponents_and_the_optimum() -> None:
    grid = [(256.0 * f, 500.0 * s) for f in DOUBLINGS for s in DOUBLINGS]
    loss = [20 * f**-0.5 + 15 * s**-0.6 + 0.05 for f, s in grid]
    surface = fit_surface([f for f, _ in grid], [s for _, s in grid], loss)
    assert surface.alpha == pytest.approx(0.5, abs=2e-3)
    assert surface.beta == pytest.approx(0.6, abs=2e-3)
    assert surface.irreducible == pytest.approx(0.05, abs=2e-3)
    # The least of the formula itself over the splits of one budget.
    f = np.geomspace(1e2, 1e6, 20_001)
    best = f[np.argmin(20 * f**-0.5 + 15 * (1e8 / f) ** -0.6)]
    assert surface.best_features.at(1e8) == pytest.approx(best, rel=0.02)
    assert surface.best_features.exponent + surface.best_steps.exponent == pytest.approx(1.0)


def test_surface__refuses_runs_whose_loss_features_do_not_lower() -> None:
    grid = [(256.0 * f, 500.0 * s) for f in DOUBLINGS for s in DOUBLINGS]
    loss = [0.01 * f**0.1 + 15 * s**-0.6 for f, s in grid]
    with pytest.raises(UserError, match="does not fall with more features"):
        fit_surface([f for f, _ in grid], [s for _, s in grid], loss)


def test_surface__intervals_hold_the_truth_and_the_loss_follows_from_it() -> None:
    rng = np.random.default_rng(3)
    grid = [(256.0 * f, 500.0 * s) for f in DOUBLINGS[:5] for s in DOUBLINGS[:5]]
    loss = [
        (20 * f**-0.5 + 15 * s**-0.6 + 0.05) * math.exp(0.01 * rng.standard_normal())
        for f, s in grid
    ]
    surface = fit_surface([f for f, _ in grid], [s for _, s in grid], loss)
    for law, exponent in (
        (surface.best_loss, -0.3 / 1.1),
        (surface.best_features, 0.6 / 1.1),
        (surface.best_steps, 0.5 / 1.1),
    ):
        assert within(exponent, law.exponent_interval)
        assert within(law.exponent, law.exponent_interval)
    assert within(0.05, surface.irreducible_interval)
    f = np.geomspace(1e2, 1e5, 20_001)
    least = min(20 * f**-0.5 + 15 * (1e6 / f) ** -0.6 + 0.05)
    assert surface.best_loss.at(1e6) == pytest.approx(least, rel=0.02)


def test_valleys__are_those_of_a_dense_search_and_leave_no_group_out() -> None:
    # The best of the last group lies beyond what was tried.
    group = np.repeat(np.arange(4), 3)
    compute = np.array([1e5, 1e6, 1e7, 1e8])[group]
    setting = np.tile([1.0, 2.0, 4.0], 4)
    best = 1e-2 * compute**0.4
    loss = compute**-0.1 * np.exp(0.3 * np.log(setting / best) ** 2)
    found = fit_valleys(group, setting, compute, loss)
    assert found is not None
    assert found.law.exponent == pytest.approx(0.4)
    assert found.law.coefficient == pytest.approx(1e-2)
    np.testing.assert_allclose(found.best, best[::3])
    np.testing.assert_allclose(found.lowest, compute[::3] ** -0.1)
    assert fit_valleys(group, setting, compute, 1 / loss) is None


def test_valleys__interval_is_all_that_a_t_test_does_not_reject() -> None:
    from scipy.stats import t

    group = np.repeat(np.arange(5), 4)
    compute = np.geomspace(1e5, 1e9, 5)[group]
    setting = np.tile([0.5, 1.0, 2.0, 4.0], 5) * compute**0.3
    loss = np.exp(0.2 * np.log(setting / compute**0.32) ** 2) * noise(20, 0.02)
    found = fit_valleys(group, setting, compute, loss)
    assert found is not None
    for exponent in (found.law.exponent_interval.low, found.law.exponent_interval.high):
        # With u − e·c in the place of u, the coefficient of u·c is 0 where e is the truth.
        moved, c = np.log(setting) - exponent * np.log(compute), np.log(compute)
        table = np.column_stack([np.eye(5)[group], moved**2, moved, moved * c])
        inverse = np.linalg.inv(table.T @ table)
        solved = inverse @ table.T @ np.log(loss)
        rest = np.log(loss) - table @ solved
        error = math.sqrt(inverse[-1, -1] * (rest @ rest) / 12)
        assert abs(solved[-1]) / error == pytest.approx(t.ppf(0.975, 12), rel=1e-3)


def test_laws__of_runs_that_compete_do_not_say_how_sure_the_loss_is() -> None:
    points = [
        ScalingPoint(features=64 * f, steps=100 * s, lr=1e-3, loss=3 * (f * s) ** -0.2)
        for f in (1, 2, 4, 8)
        for s in (1, 2)
    ]
    laws = scaling_laws(points)
    assert not laws.loss.exponent_interval.told
    assert "uncertainty cannot be estimated" in laws.loss.interval_text()
    assert any("some of them are just lucky" in why for why in laws.missing)


def test_laws__of_runs_one_after_another_use_them_all() -> None:
    # A run that is worse than a cheaper one is off the frontier, and still counts.
    losses = [1.0, 0.8, 0.81, 0.6, 0.5]
    points = [
        ScalingPoint(features=64 * 2**n, steps=100, lr=1e-3, loss=loss)
        for n, loss in enumerate(losses)
    ]
    laws = scaling_laws(points)
    assert laws.loss.points == 5
    assert len(laws.frontier) == 4
    assert laws.loss.exponent_interval.told


def isoflop_points() -> list[ScalingPoint]:
    """Runs of five computes whose best features go with compute to the power 0.6."""
    points = []
    for compute in np.geomspace(1e6, 1e10, 5):
        best = 0.5 * compute**0.6
        for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
            loss = 40 * compute**-0.2 * math.exp(0.05 * math.log(factor) ** 2)
            features = round(best * factor)
            points.append(
                ScalingPoint(features=features, steps=round(compute / features), lr=1e-3, loss=loss)
            )
    return points


def test_laws__come_from_parabolas_where_sizes_share_computes() -> None:
    laws = scaling_laws(isoflop_points())
    assert laws.method == "parabolas"
    assert laws.features is not None
    assert laws.steps is not None
    assert laws.features.exponent == pytest.approx(0.6, abs=0.01)
    assert laws.steps.exponent == pytest.approx(0.4, abs=0.01)
    assert laws.loss.exponent == pytest.approx(-0.2, abs=0.005)
    best = optimum(isoflop_points(), 1e11)
    assert best.features == pytest.approx(0.5 * 1e11**0.6, rel=0.05)
    assert best.features * best.steps == pytest.approx(1e11, rel=1e-3)
    assert best.beyond == pytest.approx(10, rel=0.01)


def test_laws__give_the_best_learning_rate_against_compute() -> None:
    points = []
    for size in DOUBLINGS:
        best = 0.02 * (64 * size * 1000) ** -0.3
        for factor in (0.2, 0.6, 2.0, 6.0):
            loss = 5 * (64 * size) ** -0.3 * math.exp(0.02 * math.log(factor) ** 2)
            points.append(ScalingPoint(features=64 * size, steps=1000, lr=best * factor, loss=loss))
    laws = scaling_laws(points)
    assert laws.lr is not None
    assert laws.lr.exponent == pytest.approx(-0.3, abs=0.01)
    assert laws.features is None
    assert any("Best features and steps" in why for why in laws.missing)


def test_laws__refuse_too_few_runs_with_the_number_needed() -> None:
    points = [ScalingPoint(features=64 * f, steps=10, lr=0.1, loss=1 / f) for f in (1, 2, 4)]
    with pytest.raises(UserError, match="needs 4"):
        scaling_laws(points)


def test_frontier__leaves_out_runs_a_cheaper_one_beats() -> None:
    points = [
        ScalingPoint(features=f, steps=10, lr=0.1, loss=loss)
        for f, loss in ((1, 1.0), (2, 0.5), (3, 0.7), (4, 0.4))
    ]
    assert [p.features for p in frontier(points)] == [1, 2, 4]


def test_series__compare_only_runs_of_one_sparsity_and_average_seeds() -> None:
    rows = [
        row(seed=0, loss=1.0),
        row(seed=1, loss=3.0),
        row(k=8, loss=0.5),
        row(state="failed", loss=None),
        row(stopped_early=True, features=32),
    ]
    first, second = series_of(rows)
    assert [(p.loss, p.runs) for p in first.points] == [(2.0, 2)]
    assert second.k == 8


def test_pareto__keeps_points_no_other_beats_in_both() -> None:
    l0 = [10.0, 20.0, 15.0, 30.0, 10.0, math.nan, 20.0]
    fvu = [0.5, 0.3, 0.6, 0.35, 0.55, 0.0, 0.3]
    assert pareto_front(l0, fvu) == [0, 1, 6]


def test_pareto__ignores_runs_without_figures() -> None:
    rows = [row(dictionary="a", l0=3.0, fvu=0.2), row(dictionary="b", state="failed")]
    assert [r.dictionary for r in front_of(rows)] == ["a"]
