"""Scaling laws and Pareto fronts on curves whose exponents are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.training.pareto import front_of, pareto_front
from sae_desktop.training.power_law import fit_power_law, fit_surface, parabola_minimum
from sae_desktop.training.scaling import (
    ScalingPoint,
    frontier,
    optimum,
    scaling_laws,
    series_of,
)
from sae_desktop.training.sweep_config import SweepRow

DOUBLINGS = [2**i for i in range(6)]


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
    assert law.exponent_interval.low < -0.13 < law.exponent_interval.high
    assert law.coefficient_interval.low < 7.0 < law.coefficient_interval.high
    assert 0.003 < law.spread < 0.02
    assert law.at(1e10) == pytest.approx(7.0 * 1e10**-0.13, rel=0.05)


def test_power_law__finds_an_irreducible_term_only_where_there_is_one() -> None:
    x = np.geomspace(1e5, 1e9, 9)
    with_floor = 900.0 * x**-0.5 + 0.3
    found = fit_power_law(list(x), list(with_floor), what="loss", irreducible=None)
    assert found.irreducible == pytest.approx(0.3, rel=1e-3)
    assert found.exponent == pytest.approx(-0.5, rel=1e-3)
    plain = fit_power_law(
        list(x), list(7.0 * x**-0.13 * noise(9, 0.01)), what="loss", irreducible=None
    )
    assert plain.irreducible is None


def test_power_law__of_few_points_has_no_irreducible_term() -> None:
    x = np.geomspace(1e5, 1e9, 5)
    law = fit_power_law(list(x), list(900.0 * x**-0.5 + 0.3), what="loss", irreducible=None)
    assert law.irreducible is None


def test_power_law__refuses_three_points_and_repeats_of_them() -> None:
    with pytest.raises(UserError, match="There are 3 runs that differ, and the loss needs 4"):
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


def test_parabola__has_its_least_between_the_points_or_none() -> None:
    x = [1e-4, 1e-3, 1e-2]
    least = parabola_minimum(x, [math.exp(0.1 * math.log(v / 5e-4) ** 2) * 0.2 for v in x])
    assert least is not None
    assert least == pytest.approx((5e-4, 0.2))
    assert parabola_minimum(x, [3.0, 2.0, 1.0]) is None


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
    best = optimum(laws, 1e11)
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
