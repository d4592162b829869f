"""Areas, intervals and p-values of texts that come in templates, against other ways to them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from sae_desktop.features.asking import auroc
from sae_desktop.safety.scan.separation import (
    areas,
    difference_interval,
    exchange_p,
    false_discovery,
    separation,
)

TEMPLATES, TEXTS = 6, 4
TEMPLATE = np.repeat(np.arange(2 * TEMPLATES), TEXTS)
POSITIVE = TEMPLATE < TEMPLATES


def drawn(rng: np.random.Generator, shift: float, alike: float) -> np.ndarray:
    """Return scores of which texts of one template share a part."""
    shared = rng.normal(size=2 * TEMPLATES)[TEMPLATE] * np.sqrt(alike)
    own = rng.normal(size=len(TEMPLATE)) * np.sqrt(1 - alike)
    return shared + own + shift * POSITIVE


def test_area__is_the_statistic_of_mann_and_whitney() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (len(TEMPLATE), 7)).astype(float)
    expected = mannwhitneyu(scores[POSITIVE], scores[~POSITIVE]).statistic
    found = areas(scores, POSITIVE)
    assert found == pytest.approx(expected / (POSITIVE.sum() * (~POSITIVE).sum()))
    for column in range(7):
        assert separation(scores[:, column], POSITIVE, TEMPLATE).area == pytest.approx(
            found[column]
        )


def test_interval__of_single_texts_is_the_score_interval_and_of_equal_ones_that_of_templates() -> (
    None
):
    rng = np.random.default_rng(1)
    scores = drawn(rng, 1.0, 0.0)
    alone = separation(scores, POSITIVE, np.arange(len(TEMPLATE)))
    count = TEMPLATES * TEXTS
    assert alone[1:] == auroc.interval(alone.area, [(count, count)], 2 * count - 2)
    equal = separation(drawn(rng, 1.0, 1.0), POSITIVE, TEMPLATE)
    expected = auroc.interval(equal.area, [(TEMPLATES, TEMPLATES)], 2 * TEMPLATES - 2)
    assert equal[1:] == pytest.approx(expected)


def test_interval__holds_the_area_where_texts_of_a_template_are_alike() -> None:
    rng = np.random.default_rng(2)
    shift = norm.ppf(0.8) * np.sqrt(2)
    kept = 0
    for _ in range(200):
        found = separation(drawn(rng, shift, 0.6), POSITIVE, TEMPLATE)
        kept += found.low <= 0.8 <= found.high
    assert kept >= 184  # of 200: 4 standard errors below 95%


def test_exchange__is_exact_and_never_parts_a_template() -> None:
    perfect = POSITIVE.astype(float)[:, None]
    assert exchange_p(perfect, POSITIVE, TEMPLATE, 0) == pytest.approx(1 / 924)
    assert exchange_p(-perfect, POSITIVE, TEMPLATE, 0) == pytest.approx(1.0)
    rng = np.random.default_rng(3)
    nothing = np.stack([drawn(rng, 0.0, 0.9) for _ in range(2000)], axis=1)
    p = exchange_p(nothing, POSITIVE, TEMPLATE, 0)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.02)
    by_text = mannwhitneyu(nothing[POSITIVE], nothing[~POSITIVE], alternative="greater").pvalue
    assert np.mean(by_text <= 0.05) > 0.15  # as if each text were a template: far too sure


def test_false_discovery__is_that_of_benjamini_and_hochberg() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    assert false_discovery(p) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_difference__is_delongs_and_counts_templates() -> None:
    rng = np.random.default_rng(4)
    good, bad = drawn(rng, 3.0, 0.2), drawn(rng, 0.0, 0.2)
    assert difference_interval(good, good, POSITIVE, TEMPLATE) == (0.0, 0.0)
    low, high = difference_interval(good, bad, POSITIVE, TEMPLATE)
    one, other = areas(np.stack([good, bad], axis=1), POSITIVE)
    assert (low + high) / 2 == pytest.approx(one - other)
    assert 0.05 < low < high < 1.0
    twice = np.repeat(np.arange(len(POSITIVE)), 2)
    again = difference_interval(good[twice], bad[twice], POSITIVE[twice], TEMPLATE[twice])
    assert again == pytest.approx((low, high))
    single = difference_interval(good, bad, POSITIVE, np.arange(len(POSITIVE)))
    doubled = difference_interval(
        good[twice], bad[twice], POSITIVE[twice], np.arange(2 * len(POSITIVE))
    )
    assert doubled[1] - doubled[0] < 0.8 * (single[1] - single[0])
