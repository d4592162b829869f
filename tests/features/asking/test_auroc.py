"""The interval of an area under the ROC curve that was scored on folds held out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from sae_desktop.features.asking.auroc import effective_texts, interval


def drawn(area: float, copies: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the interval from five folds of four contents a side, each so many times."""
    apart = norm.ppf(area) * 2**0.5
    y = np.repeat([1, 0], 4 * copies)
    groups = np.repeat(np.arange(8), copies)
    areas, texts = [], []
    for _ in range(5):
        told = np.repeat(rng.standard_normal(8) + apart * (np.arange(8) < 4), copies)
        areas.append(roc_auc_score(y, told))
        texts.append(tuple(effective_texts(groups[y == side]) for side in (1, 0)))
    return interval(float(np.mean(areas)), texts)  # type: ignore[arg-type]


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("area", [0.5, 0.8, 0.95])
def test_interval__holds_the_area_however_often_each_text_occurs(area: float, copies: int) -> None:
    rng = np.random.default_rng(0)
    ends = np.array([drawn(area, copies, rng) for _ in range(200)])
    inside = (ends[:, 0] <= area) & (area <= ends[:, 1])
    assert inside.mean() > 0.95 - 3.5 * (0.95 * 0.05 / 200) ** 0.5


def test_interval__of_one_fold_is_newcombes() -> None:
    low, high = interval(0.8, [(20, 30)])
    for end in (low, high):
        q1, q2 = end / (2 - end), 2 * end**2 / (1 + end)
        # Hanley and McNeil's error at the end, with both numbers of theirs the mean of the two.
        more = (20 + 30) / 2 - 1
        variance = (end * (1 - end) + more * (q1 - end**2) + more * (q2 - end**2)) / (20 * 30)
        assert abs(end - 0.8) == pytest.approx(1.959964 * variance**0.5, rel=1e-5)


def test_interval__of_a_perfect_score_has_a_width_that_falls_with_texts() -> None:
    few, many = interval(1.0, [(4, 4)] * 5), interval(1.0, [(40, 40)] * 5)
    assert few[1] == many[1] == 1.0
    assert 0.7 < few[0] < many[0] < 1.0


def test_effective_texts__are_contents_and_fewer_where_one_fills_a_side() -> None:
    assert effective_texts(np.repeat(np.arange(6), 3)) == pytest.approx(6)
    assert effective_texts(np.array([0] * 90 + list(range(1, 11)))) < 1.3
