"""Sorting many entries at once says what a stable sort says."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.features.naming.runs import sorted_with


@pytest.mark.parametrize("keys", [(0, 9), (-3, 5), (2**60, 2**60 + 4), (0, 1)])
def test_sorted_with__is_a_stable_sort(keys: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    places = np.sort(rng.choice(5_000, 600, replace=False))
    found = rng.integers(*keys, 600)
    order = np.argsort(found, kind="stable")
    sorted_keys, sorted_places = sorted_with(found, places, 5_000)
    assert np.array_equal(sorted_keys, found[order])
    assert np.array_equal(sorted_places, places[order])


def test_sorted_with__nothing_is_nothing() -> None:
    keys, places = sorted_with(np.empty(0, np.int64), np.empty(0, np.int64), 0)
    assert len(keys) == len(places) == 0
