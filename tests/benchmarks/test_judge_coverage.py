"""Intervals of judges' scores hold the truth as often as they say."""

from __future__ import annotations

import pytest
from judge_coverage import (
    RATINGS,
    area_of,
    intruders,
    lines,
    rated_above,
    ratings,
    share_holding,
    simulated,
    true_correlation,
    yes_or_no,
)


@pytest.mark.parametrize(("hits", "rejections"), [(0.5, 0.5), (0.9, 0.8)])
def test_intervals_of_balanced_accuracy__hold_the_truth(hits: float, rejections: float) -> None:
    share, _ = share_holding(yes_or_no(hits, rejections), (hits + rejections) / 2, 300)
    assert 0.91 < share < 0.99


@pytest.mark.parametrize(("hits", "rejections"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_intervals_of_judges_without_chance__still_have_a_width(
    hits: float, rejections: float
) -> None:
    share, width = share_holding(yes_or_no(hits, rejections), (hits + rejections) / 2, 20)
    assert share == 1.0
    assert width > 0.05


@pytest.mark.parametrize("weights", [weights for weights, _ in RATINGS])
def test_intervals_of_mean_ratings__hold_the_truth(weights: tuple[float, ...]) -> None:
    truth = sum(rating * p for rating, p in enumerate(weights))
    share, width = share_holding(ratings(weights, 10), truth, 150)
    assert share > 0.89
    assert width > 0.0


def test_intervals_of_areas_of_ratings__hold_the_truth() -> None:
    pair = RATINGS[1][0], RATINGS[0][0]
    share, _ = share_holding(rated_above(*pair), area_of(*pair), 150)
    assert share > 0.89


def test_intervals_of_intruders_and_correlations__hold_the_truth() -> None:
    assert share_holding(intruders(0.2, 15), 0.2, 200)[0] > 0.9
    assert share_holding(simulated(0.0), 0.0, 30)[0] > 0.8


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_intervals_of_judges__over_many_draws() -> None:
    assert true_correlation(2.0) == pytest.approx(0.39, abs=0.03)
    for said, share, width in lines(1000):
        print(f"{said}: {share:.3f}, median width {width:.2f}")
        # Of shares near 1 score intervals hold .90 with so few texts.
        assert share > 0.88
