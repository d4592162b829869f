"""Detectors of which it is known how good they are: perfect, blind, inverted, always the same."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.labels.scoring.detection import Trial, area_between, areas, mean_of, mean_rank

RNG = np.random.default_rng(0)


def drawn(fired: int = 40, silent: int = 60, documents: int = 100, seed: int = 0) -> Trial:
    rng = np.random.default_rng(seed)
    return Trial(
        rng.integers(1, 6, fired), rng.integers(0, documents, fired),
        rng.integers(0, 3, silent), rng.integers(0, documents, silent),
    )  # fmt: skip


def truth(of: Trial) -> np.ndarray:
    return np.concatenate([np.ones(len(of.interval)), np.zeros(len(of.kind))])


def test_a_perfect_detector__has_1_and_an_interval_of_some_width() -> None:
    found = areas(drawn(), truth(drawn()))
    assert found.whole.value == pytest.approx(1.0)
    assert 0.8 < found.whole.low < 1.0
    assert all(f.value == pytest.approx(1.0) for f in found.intervals.values())
    assert set(found.intervals) == {1, 2, 3, 4, 5}
    assert set(found.kinds) == {0, 1, 2}


def test_an_inverted_detector__has_0() -> None:
    found = areas(drawn(), -truth(drawn()))
    assert found.whole.value == pytest.approx(0.0)
    assert found.whole.high < 0.2


@pytest.mark.parametrize("always", [0.0, 1.0])
def test_a_detector_that_always_says_the_same__is_at_chance(always: float) -> None:
    found = areas(drawn(), np.full(100, always))
    assert found.whole.value == pytest.approx(0.5)
    assert [f.value for f in found.kinds.values()] == pytest.approx([0.5] * 3)


def test_blind_detectors__are_at_chance_within_their_intervals() -> None:
    inside = []
    for seed in range(60):
        of = drawn(seed=seed)
        found = areas(of, np.random.default_rng(1000 + seed).normal(size=100)).whole
        inside.append(found.low <= 0.5 <= found.high)
    assert np.mean(inside) > 0.85


def test_intervals_and_kinds__weigh_the_same_however_many_texts_each_has() -> None:
    of = Trial(
        np.array([1] * 30 + [2] * 5),
        np.arange(35),
        np.array([0] * 30 + [1] * 5),
        35 + np.arange(35),
    )
    # Found in the second interval alone, and told from the first kind alone.
    scores = np.array([0.0] * 30 + [1.0] * 5 + [0.0] * 30 + [1.0] * 5)
    found = areas(of, scores)
    by_hand = np.mean([0.5, 0.0, 1.0, 0.5])
    assert found.whole.value == pytest.approx(by_hand)
    assert found.intervals[2].value == pytest.approx(0.75)
    assert found.kinds[1].value == pytest.approx(0.25)


def test_texts_of_one_document__make_the_interval_wider() -> None:
    apart, together = drawn(documents=10_000), drawn(documents=8)
    scores = truth(apart) + np.random.default_rng(3).normal(size=100)
    narrow, wide = areas(apart, scores).whole, areas(together, scores).whole
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_too_few_texts__give_no_figure() -> None:
    of = drawn(fired=4)
    assert np.isnan(areas(of, np.zeros(64)).whole.value)
    nothing = np.empty(0)
    assert np.isnan(area_between(nothing, np.ones(9), nothing, np.arange(9)).value)


def test_area_between__is_the_share_of_pairs() -> None:
    fired, others = RNG.normal(1, 1, 30), RNG.normal(0, 1, 50)
    by_hand = np.mean(fired[:, None] > others)
    found = area_between(fired, others, np.arange(30), np.arange(50))
    assert found.value == pytest.approx(by_hand)


def test_mean_rank__lets_two_detectors_agree() -> None:
    assert mean_rank(np.array([1.0, 2.0, 3.0]), np.array([9.0, 8.0, 1.0])).tolist() == [2, 2, 2]


def test_mean_of__leaves_out_what_was_not_measured() -> None:
    found = mean_of(np.array([0.5, 0.7, np.nan]))
    assert found.value == pytest.approx(0.6)
    assert 0.5 <= found.low <= found.high <= 0.7
