"""The promise of a threshold holds for exchangeable text, with ties and with units that depend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, binom, norm

from sae_desktop.safety.monitors.guarantee import TooShortError, bound, choose, least_blocks

Array = Any
Draw = Callable[[np.random.Generator, int], list[Array]]

RATE, DELTA = 0.05, 0.1


def single(chance: np.random.Generator, count: int) -> list[Array]:
    return [np.array([x]) for x in chance.normal(size=count)]


def tied(chance: np.random.Generator, count: int) -> list[Array]:
    """Mostly silent, as a feature is, and counted in steps of a half."""
    scores = np.maximum(np.round(chance.normal(size=count) * 2) / 2, 0)
    return [np.array([x]) for x in scores]


def dependent(chance: np.random.Generator, count: int) -> list[Array]:
    """Documents of 5 to 40 tokens whose scores share most of their variance."""
    sizes = chance.integers(5, 41, size=count)
    levels = chance.normal(size=count)
    return [0.95 * level + 0.312 * chance.normal(size=size)
            for level, size in zip(levels, sizes, strict=True)]  # fmt: skip


def true_rate(draw: Draw, threshold: float) -> float:
    """Return the chance of a unit above a threshold, from the law it is drawn from."""
    if draw is tied:
        steps = math.floor(threshold * 2 + 1e-9) / 2 + 0.25
        return float(norm.sf(steps)) if threshold >= 0 else 1.0
    scale = 1.0 if draw is single else math.hypot(0.95, 0.312)
    return float(norm.sf(threshold / scale))


def exceedances(draw: Draw, resamples: int, blocks: int, method: Any) -> tuple[float, float]:
    """Return how often the true rate exceeds the promise, and its mean."""
    rates = []
    for number in range(resamples):
        found = choose(draw(np.random.default_rng(number), blocks), RATE, DELTA, method)
        rates.append(true_rate(draw, found.value))
    return float(np.mean(np.array(rates) > RATE)), float(np.mean(rates))


def most(resamples: int) -> float:
    """Return the share that chance exceeds once in a thousand where the true one is δ."""
    return float(binom.ppf(0.999, resamples, DELTA)) / resamples


@pytest.mark.parametrize("draw", [single, tied, dependent])
def test_bound__is_exceeded_no_more_often_than_promised(draw: Draw) -> None:
    share, _ = exceedances(draw, 60, 200, "bound")
    assert share <= most(60)


@pytest.mark.nightly
@pytest.mark.parametrize("draw", [single, tied, dependent])
def test_bound__over_many_resamples_is_exceeded_no_more_often_than_promised(draw: Draw) -> None:
    for blocks in (60, 200, 1000):
        share, _ = exceedances(draw, 2000, blocks, "bound")
        assert share <= most(2000)


@pytest.mark.parametrize("draw", [single, tied, dependent])
def test_conformal__keeps_the_promise_on_average(draw: Draw) -> None:
    _, mean = exceedances(draw, 100, 100, "conformal")
    assert 0 < mean <= RATE * 1.1


def test_tokens_taken_for_independent__break_the_promise() -> None:
    """What the blocks are for: the same tokens, each taken for a draw of its own."""
    broken = 0
    for number in range(60):
        blocks = dependent(np.random.default_rng(number), 200)
        tokens = [np.array([x]) for block in blocks for x in block]
        broken += true_rate(dependent, choose(tokens, RATE, DELTA).value) > RATE
    assert broken / 60 > 2 * DELTA


def test_shifted_text__exceeds_the_promise() -> None:
    """No calibration says anything of text of another kind."""
    found = [choose(single(np.random.default_rng(n), 200), RATE, DELTA).value for n in range(40)]
    shifted = [float(norm.sf(threshold - 0.5)) for threshold in found]
    assert np.mean(np.array(shifted) > RATE) > 0.9


def test_bound__of_single_units_is_that_of_clopper_and_pearson() -> None:
    for firing, count in ((0, 50), (3, 80), (17, 400)):
        expected = beta.ppf(1 - DELTA, firing + 1, count - firing)
        assert bound(firing, count, DELTA, "bound", single=True) == pytest.approx(expected, 1e-9)


def test_threshold__is_the_lowest_that_keeps_the_promise() -> None:
    blocks = single(np.random.default_rng(1), 300)
    found = choose(blocks, RATE, DELTA)
    scores = np.sort([float(block[0]) for block in blocks])
    lower = scores[np.searchsorted(scores, found.value) - 1]
    assert found.bound <= RATE < bound((scores > lower).sum(), 300, DELTA, "bound", single=True)
    assert found.firing == (scores > found.value).sum()


def test_threshold__of_equal_scores_fires_on_none_of_them() -> None:
    found = choose([np.zeros(1)] * 100, RATE, DELTA)
    assert (found.value, found.firing) == (0.0, 0.0)


@pytest.mark.parametrize(("method", "needed"), [("bound", 45), ("conformal", 19)])
def test_too_short_a_text__says_how_much_is_needed(method: Any, needed: int) -> None:
    """(1 − 0.05)^45 ≤ 0.1 < (1 − 0.05)^44; 1 / (19 + 1) ≤ 0.05."""
    assert least_blocks(RATE, DELTA, method) == needed
    choose(single(np.random.default_rng(0), needed), RATE, DELTA, method)
    with pytest.raises(TooShortError) as error:
        choose(single(np.random.default_rng(0), needed - 1), RATE, DELTA, method)
    assert (error.value.blocks, error.value.needed) == (needed - 1, needed)
