"""The benchmark of steering at once, on one feature of the demonstration."""

from __future__ import annotations

import numpy as np
import pytest
from shipped import demonstration
from steering_at_once import drawn, steered_at_once, summary

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.steering.effect_config import CONTINUED

NAME = "builtin-L3"
UNMEASURED = 239
"""The feature to try where the index does not tell which turns most: it fires in Turkish."""


def turns_most(index: FeatureIndex) -> int:
    suggested = index.columns.get("suggested_strength")
    if suggested is None or not np.isfinite(suggested).any():
        return UNMEASURED
    return int(np.where(np.isfinite(suggested), index.columns["turn"], -1.0).argmax())


@pytest.fixture(scope="module")
def shipped() -> Project:
    return demonstration()


def test_feature__turns_the_example_at_once_and_a_random_direction_does_not(
    shipped: Project,
) -> None:
    feature = turns_most(FeatureIndex(shipped.index_path(NAME)))
    found = steered_at_once(shipped, NAME, feature, CONTINUED[0])
    assert found.known.verdict == "works"
    assert found.strength == found.known.suggested
    assert found.known.low < 0 < found.strength <= found.known.high
    assert found.verdict.good
    assert not found.of_random.good
    assert found.random.typical_strength == pytest.approx(found.steered.typical_strength, rel=0.3)
    assert summary([found]).startswith("1 of 1 features turn the text visibly without breaking")


def test_features__are_drawn_without_repetition_and_alike_for_a_seed(shipped: Project) -> None:
    index = FeatureIndex(shipped.index_path(NAME))
    chosen = drawn(index, 10, seed=3)
    assert len(set(chosen)) == 10
    assert chosen == drawn(index, 10, seed=3) != drawn(index, 10, seed=4)
    assert all(index.columns["max_activation"][f] > 0 for f in chosen)
