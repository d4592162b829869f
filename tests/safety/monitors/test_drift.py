"""Drift is warned of where the scores have moved, and seldom where they have not."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.safety.monitors.drift import LEVEL, corrected, drift_p, warning
from sae_desktop.safety.monitors.intervals import exact, wilson


def test_same_text__is_seldom_warned_of() -> None:
    chance = np.random.default_rng(0)
    alarms = [
        (drift_p(chance.normal(size=200), chance.normal(size=100)) or 0.0) <= LEVEL
        for _ in range(300)
    ]
    assert np.mean(alarms) <= 0.03


def test_moved_text__is_warned_of_and_too_little_is_not_judged() -> None:
    chance = np.random.default_rng(0)
    calibration, moved = chance.normal(size=200), chance.normal(1.0, size=100)
    p = drift_p(calibration, moved)
    told = warning(p, 0.2, 0.01, calibration, moved)
    assert "scores higher" in told
    assert "20.00% fire" in told
    assert drift_p(calibration, moved[:19]) is None
    assert warning(0.5, 0.2, 0.01, calibration, moved) == ""


def test_many_monitors__are_corrected_for_by_holm() -> None:
    assert corrected([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])


def test_intervals__are_those_of_the_textbooks() -> None:
    """Of 8 in 10: Wilson 0.4902–0.9433, Clopper–Pearson 0.4439–0.9748."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert exact(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert exact(0, 10)[0] == 0.0
    assert wilson(0, 0) == (0.0, 1.0)
