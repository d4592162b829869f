"""The loss recovered takes a bounded share of a training's time, whatever it costs."""

from __future__ import annotations

import pytest

from sae_desktop.training.loss_pace import SHARE, LossPace


def _measured(cost: float, runs: int = 1) -> tuple[float, int]:
    """Return the share of the time of a training that measuring takes, and how often it is done.

    `cost`: seconds of one measurement of one run; the training proper takes 1,000.
    """
    pace, seconds, count = LossPace(runs), 0.0, 0
    for moment in range(1, 11):
        seconds += 100.0
        due = moment == 10 or pace.due(moment, seconds, moment / 10)
        for _ in range(runs if due else 0):
            pace.took(cost)
            seconds += cost
        count += due
    return pace.spent / 1000.0, count


@pytest.mark.parametrize(("cost", "times"), [(0.01, 10), (9.0, 10), (20.0, 4), (40.0, 2)])
def test_pace__measures_every_time_where_that_is_cheap_and_less_often_where_not(
    cost: float, times: int
) -> None:
    share, measured = _measured(cost)
    assert measured == times
    assert share <= SHARE


def test_pace__counts_all_runs_of_a_pass() -> None:
    assert _measured(2.0, runs=9) == (pytest.approx(0.09), 5)
    assert _measured(1.0, runs=9) == (pytest.approx(0.09), 10)


def test_pace__decides_once_a_step_for_all_runs() -> None:
    pace = LossPace(runs=3)
    assert pace.due(5, 10.0, 0.1)
    pace.took(50.0)
    assert pace.due(5, 60.0, 0.1)  # the others of the pass have their turn as well
    assert not pace.due(6, 61.0, 0.2)


def test_pace__keeps_room_for_the_measurement_at_the_end() -> None:
    pace = LossPace()
    pace.took(5.0)
    assert pace.budget(100.0 + 5.0, 1.0) == pytest.approx(10.0)
    assert not pace.due(1, 105.0, 1.0)  # 5 of 10 are spent, and two more would be 15
    pace = LossPace()
    pace.took(3.0)
    assert pace.due(1, 103.0, 1.0)
