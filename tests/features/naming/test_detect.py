"""The score of a name is the AUROC it says, and its interval that of the rest of the program."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.features.asking.auroc import interval
from sae_desktop.features.naming.detect import Trial, areas, intervals, shuffled_features
from sae_desktop.features.naming.rules import divergence, lower_end


def test_area__is_that_of_all_pairs_with_ties_counting_half() -> None:
    rng = np.random.default_rng(0)
    feature = np.repeat([0, 1, 2], 40)
    order = rng.permutation(len(feature))
    feature = feature[order]
    fires = rng.random(len(feature)) < 0.4
    scores = rng.integers(0, 5, len(feature)).astype(float) + fires * (feature == 1)
    trial = Trial(feature, fires, np.empty((len(feature), 0), np.int32))
    found, m, n = areas(scores, trial, 4)
    for f in range(3):
        on, off = scores[(feature == f) & fires], scores[(feature == f) & ~fires]
        wins = (on[:, None] > off).mean() + (on[:, None] == off).mean() / 2
        assert found[f] == pytest.approx(wins)
        assert (m[f], n[f]) == (len(on), len(off))
    assert np.isnan(found[3])


@pytest.mark.parametrize("area", [0.5, 0.72, 0.97, 1.0])
def test_interval__is_the_score_interval_of_one_fold(area: float) -> None:
    low, high = intervals(np.array([area]), np.array([24]), np.array([60]))
    expected = interval(area, [(24.0, 60.0)])
    assert (low[0], high[0]) == pytest.approx(expected, abs=1e-4)


def test_shuffled__gives_every_feature_another_ones_name() -> None:
    other = shuffled_features(50, 3)
    assert sorted(other) == list(range(50))
    assert (other != np.arange(50)).all()


def test_lower_end__rises_with_the_evidence() -> None:
    ends = lower_end(np.full(3, 1.0), np.array([3.0, 30.0, 300.0]), np.full(3, 3.5))
    assert ends[0] < 0.25
    assert (np.diff(ends) > 0).all()
    assert ends[2] > 0.95


def test_divergence__is_nothing_below_the_share_of_the_text() -> None:
    assert divergence(np.array([0.1]), np.array([0.4]))[0] == 0.0
    assert divergence(np.array([1.0]), np.array([0.25]))[0] == pytest.approx(2.0, abs=1e-3)
