"""An index's text read again by its model, against the firings it has kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sae_desktop.features.asking.opened import open_index
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.known_firings import KnownFirings
from sae_desktop.labels.scoring.random_rivals import random_directions
from sae_desktop.labels.scoring.read_text import read_text


def test_what_is_read_again__is_what_was_indexed(small_project: Path) -> None:
    opened = open_index(str(small_project), "idx", "cpu")
    directions = random_directions(opened.dictionary.width, 2, 0)
    read = read_text(opened, 800, directions, 0, SilentContext())
    firings = opened.index.firings()
    assert firings is not None
    assert 800 <= len(read.read_rows) < 2000
    assert read.along.shape == (2, len(read.read_rows))
    apart = total = 0
    for feature in range(opened.index.features):
        block, _ = firings.block(feature, feature + 1)
        inside = np.isin(block.rows, read.read_rows)
        found = read.known(feature)
        assert found.fair
        same, mine, kept = np.intersect1d(found.rows, block.rows[inside], return_indices=True)
        apart += len(found.rows) + int(inside.sum()) - 2 * len(same)
        total += int(inside.sum())
        np.testing.assert_allclose(
            found.values[mine], block.values[inside][kept], rtol=0.05, atol=0.05
        )
    # The store rounds activations to 16 bits, so that a few firings near the threshold differ.
    assert apart < 0.02 * total
    assert found.covers(read.read_rows, read.read_rows + 1).all()
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1.0)


def test_what_two_know_of_a_feature__is_known_together() -> None:
    one = KnownFirings(np.array([3, 5]), np.array([1.0, 2.0]), np.array([[2, 6]]))
    other = KnownFirings(np.array([5, 9]), np.array([4.0, 8.0]), np.array([[5, 12]]), fair=True)
    both = one.joined(other)
    assert both.rows.tolist() == [3, 5, 9]
    assert both.values.tolist() == [1.0, 4.0, 8.0]
    assert both.covers(np.array([2, 6, 1]), np.array([12, 12, 3])).tolist() == [True, True, False]
    assert both.fair
    everything = KnownFirings(np.array([4]), np.array([1.0]), None)
    assert one.joined(everything) is everything
    assert everything.joined(one) is everything
