"""Trait directions: their drift is what was planted, and chance stands beside it."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.safety.change.chance import halves_agree, paired, sign_flip_p
from sae_desktop.safety.change.traits import Array, Trait, TraitRows, angle, figures, trait_of

WIDTH, GAP = 12, 4.0


def _trait(direction: Array, seed: int = 0) -> Trait:
    generator = np.random.default_rng(seed)
    positive = np.arange(80) % 2 == 0
    x = 0.3 * generator.standard_normal((80, WIDTH)) + GAP * positive[:, None] * direction
    return trait_of(TraitRows("t", x, positive, np.arange(80) >= 50))


def _axis(degrees: float) -> Array:
    found = np.zeros(WIDTH)
    found[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return found


def test_figures__tell_how_far_a_direction_turned_and_ordinary_text_moved() -> None:
    first, turned = _trait(_axis(0)), _trait(_axis(60), seed=1)
    moved = 0.05 * np.random.default_rng(2).standard_normal((40, WIDTH)) + 2.0 * _axis(0)
    told = figures(first, turned, moved, seed=0)
    assert told.angle == pytest.approx(60, abs=4)
    assert told.probe_angle == pytest.approx(60, abs=12)
    assert 2 < told.angle_by_chance < 8
    assert told.projection == pytest.approx(2.0 / GAP, abs=0.05)
    assert told.projection_p == pytest.approx(1 / 200)
    assert told.projection > told.projection_random
    assert told.auroc_own == 1.0
    assert told.auroc_first > 0.9
    across = figures(first, _trait(_axis(90), seed=1), 0 * moved, seed=0)
    assert across.auroc_first < 0.8
    assert across.projection == 0


def test_directions__have_length_one_and_are_learnt_from_the_texts_not_held_out() -> None:
    trait = _trait(_axis(30))
    assert np.linalg.norm(trait.direction_D) == pytest.approx(1)
    assert np.linalg.norm(trait.probe_D) == pytest.approx(1)
    assert angle(trait.direction_D, _axis(30)) < 5
    spoilt = trait.rows.x_nD.copy()
    spoilt[trait.rows.held_out] = 1e3
    other = trait_of(TraitRows("t", spoilt, trait.rows.positive, trait.rows.held_out))
    assert np.array_equal(other.direction_D, trait.direction_D)


def test_paired__finds_what_moved_and_is_corrected_for_all_that_were_looked_at() -> None:
    generator = np.random.default_rng(0)
    before = generator.standard_normal((40, 500))
    after = before + 0.1 * generator.standard_normal((40, 500))
    after[:, 7] += 0.3
    after[:, 9] = before[:, 9]
    found = paired(before, after)
    assert np.flatnonzero(found.q_F <= 0.01).tolist() == [7]
    # Uncorrected, chance alone gives about five in 500 at that level.
    assert int((found.p_F <= 0.01).sum()) > 1
    assert (found.p_F[9], found.size_F[9]) == (1.0, 0.0)


def test_differences__by_chance_are_neither_long_nor_alike_in_halves() -> None:
    noise = np.random.default_rng(0).standard_normal((60, 30))
    assert sign_flip_p(noise, 0) > 0.05
    assert abs(halves_agree(noise)) < 0.5
    assert sign_flip_p(noise + 1.0, 0) == pytest.approx(1 / 200)
    assert halves_agree(noise + 1.0) > 0.9
