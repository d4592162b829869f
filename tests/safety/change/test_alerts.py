"""Alerts hold their promise, and say what they know."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.safety.change.alerts import alert_of, calibrate, height, needed_runs

RATE = 0.2


def _run(generator: np.random.Generator, checkpoints: int = 4) -> list[dict[str, float]]:
    """Scores that are heavy in the tail and hang together within a run."""
    level = generator.lognormal(0.0, 1.0)
    return [
        {"outputs": level * generator.lognormal(0, 0.3), "turn t": generator.gamma(2.0)}
        for _ in range(checkpoints)
    ]


def test_threshold__is_passed_by_no_more_harmless_runs_than_promised() -> None:
    generator = np.random.default_rng(0)
    count = needed_runs(RATE)
    alarms = []
    for _ in range(1500):
        runs = {str(n): _run(generator) for n in range(count + 1)}
        new = runs.pop(str(count))
        found = calibrate(runs, RATE)
        alarms.append(any(alert_of(found, "b", "a", scores) for scores in new))
    # 4 heights: exactly 1 in 5. Three standard errors of 1,500 draws.
    assert np.mean(alarms) == pytest.approx(RATE, abs=3 * (RATE * (1 - RATE) / 1500) ** 0.5)


def test_too_few_runs__are_refused_with_how_many_are_needed() -> None:
    generator = np.random.default_rng(0)
    assert needed_runs(0.1) == 11
    with pytest.raises(UserError, match="11 are needed") as caught:
        calibrate({str(n): _run(generator) for n in range(10)}, 0.1)
    assert "1 further harmless run" in str(caught.value)
    assert calibrate({str(n): _run(generator) for n in range(11)}, 0.1).runs == [
        str(n) for n in range(2, 11)
    ]


def test_alert__says_what_stands_out_most_and_since_when() -> None:
    runs = {str(n): [{"a": 1.0, "b": 10.0}, {"a": 2.0 + n, "b": 20.0}] for n in range(5)}
    found = calibrate(runs, RATE)
    assert found.units == {"a": 2.0, "b": 20.0}
    assert found.threshold == 3.0
    assert height(runs["4"], found.units) == 3.0
    assert alert_of(found, "c2", "c1", {"a": 6.0, "b": 20.0}) is None
    alert = alert_of(found, "c2", "c1", {"a": 6.1, "b": 100.0})
    assert alert is not None
    assert (alert.since, alert.checkpoint, alert.measure, alert.ratio) == ("c1", "c2", "b", 5.0)
    assert alert.p == 1 / 5
    with pytest.raises(UserError, match="score “b”"):
        alert_of(found, "c2", "c1", {"a": 1.0})
