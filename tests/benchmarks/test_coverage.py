"""Intervals hold the truth as often as they say, and held-out scores of random labels are chance.

The short tests take few draws and bounds that chance crosses once in a few thousand times; those
of the night take the benchmarks' own numbers.
"""

from __future__ import annotations

import numpy as np
import pytest
from law_coverage import FIVE_BY_FIVE, README_GRID, Tally, same_computes, straight, surface
from law_coverage import rates as best_rates
from law_coverage import with_floor as floor_of
from score_coverage import (
    chance,
    even_chances,
    gains,
    held_areas,
    label_areas,
    mean_areas,
    name_areas,
)

COMPUTES = np.unique([features * steps for features, steps in README_GRID])


def holds(tally: Tally, errors: float = 3.5) -> bool:
    """Whether the share inside is 95%, or more, within its Monte Carlo error."""
    return tally.coverage > 0.95 - errors * tally.error


def all_hold(tallies: dict[str, Tally], errors: float = 3.5) -> bool:
    for name, tally in tallies.items():
        print(f"{name}: {tally}")
    return all(tally.refused == 0 and holds(tally, errors) for tally in tallies.values())


@pytest.mark.parametrize("points", [4, 5, 8])
def test_intervals_of_a_power_law__hold_its_exponent_and_the_loss_at_a_budget(points: int) -> None:
    tallies = straight(points, 300, False)
    assert all_hold(tallies)
    assert all(tally.coverage < 0.95 + 3.5 * tally.error for tally in tallies.values())


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_intervals_of_the_loss__hold_with_a_floor_and_without(share: float) -> None:
    assert all_hold(floor_of(COMPUTES, 60, share))


def test_intervals_of_a_grid__hold_loss_and_best_size_and_both_at_a_budget() -> None:
    assert all_hold(surface(README_GRID, 16, 0.1))


def test_intervals_of_the_best_learning_rate__hold() -> None:
    assert all_hold(best_rates(60))


def test_intervals_of_runs_of_the_same_computes__hold() -> None:
    assert all_hold(same_computes(15))


def test_interval_of_even_chances__holds_the_frequency() -> None:
    share, drawn, _ = even_chances(25, 1.5, 30)
    assert drawn == 30
    assert share >= 0.8


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("points", [4, 5, 6, 8, 12])
def test_intervals_of_power_laws__over_many_laws(points: int) -> None:
    x = np.geomspace(1e5, 1e8, points)
    assert all_hold(straight(points, 1000, False), 3)
    assert all_hold(straight(points, 400, True), 3)
    assert all_hold(floor_of(x, 400, 0.1), 3)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("grid", [README_GRID, FIVE_BY_FIVE], ids=["README", "5 × 5"])
def test_intervals_of_grids__over_many_laws(grid: list[tuple[float, float]], share: float) -> None:
    assert all_hold(surface(grid, 300, share), 3)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_intervals_of_runs_of_the_same_computes__over_many_laws() -> None:
    for noise in (0.01, 0.03):
        assert all_hold(same_computes(300, noise), 3)
    assert all_hold(best_rates(400), 3)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("concepts", [12, 25, 50, 200])
@pytest.mark.parametrize("slope", [0.5, 1.5, 5.0])
def test_interval_of_even_chances__over_many_lists(concepts: int, slope: float) -> None:
    share, drawn, unbounded = even_chances(concepts, slope, 400)
    print(f"{share:.3f} of {drawn}, {unbounded} open")
    # The likelihood of a dozen concepts has few values: .92 is what it reaches there.
    assert share > 0.95 - 3 * (0.95 * 0.05 / drawn) ** 0.5


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("copies", "equal"), [(1, True), (3, True), (3, False)])
def test_classifiers_of_random_labels__are_chance_over_many_draws(copies: int, equal: bool) -> None:
    for inputs, (mean, error) in chance(30, 40, copies, equal).items():
        print(f"{inputs}: AUROC {mean:.3f} ± {error:.3f}")
        assert abs(mean - 0.5) < 3 * error


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("copies", "tell"), [(1, 0.0), (1, 0.5), (1, 1.0), (3, 0.0), (3, 1.0)])
def test_intervals_of_classifiers__over_many_draws(copies: int, tell: float) -> None:
    for inputs, (inside, area, width) in held_areas(100, 40, copies, tell).items():
        print(f"{inputs}: {inside:.3f} hold {area:.3f}, median width {width:.2f}")
        assert inside > 0.95 - 3 * (0.95 * 0.05 / 100) ** 0.5


def test_intervals_of_labels__hold_their_areas_means_and_gains() -> None:
    assert label_areas(80, 0.3, 1000, 0.0)[0] >= 0.85
    assert label_areas(80, 0.3, 40, 0.3)[0] >= 0.85
    assert mean_areas(60, 20) >= 0.8
    assert gains(200) >= 0.9


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("tell", "documents", "within"),
    [(0.0, 1000, 0.0), (0.0, 40, 0.3), (0.3, 1000, 0.0), (0.3, 12, 0.3), (1.0, 1000, 0.0)],
)
def test_intervals_of_labels__over_many_draws(tell: float, documents: int, within: float) -> None:
    share, area, width = label_areas(600, tell, documents, within)
    print(f"{share:.3f} hold {area:.3f}, mean width {width:.2f}")
    assert share > 0.95 - 3 * (0.95 * 0.05 / 600) ** 0.5


@pytest.mark.parametrize(("fits", "strays"), [(0.5, 0.5), (0.6, 0.1), (0.95, 0.3), (0.9, 0.02)])
def test_intervals_of_an_automatic_names_score__hold_the_area(fits: float, strays: float) -> None:
    share, truth, width = name_areas(600, fits, strays)
    assert share > 0.95 - 3.5 * (0.95 * 0.05 / 600) ** 0.5
    assert truth == pytest.approx(0.5 + (fits - strays) / 2)
    assert width < 0.2
