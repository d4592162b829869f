"""When requests may start: evenly spaced, together held back, fewer while the server is busy."""

from __future__ import annotations

import pytest

from sae_desktop.labels.queue import pace as module
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.pace import Pace, backoff


class Clock:
    """Time that passes only while something waits; also stands for the condition waited on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def notify_all(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made.monotonic)
    monkeypatch.setattr(module.threading, "Condition", lambda: made)
    return made


def _starts(pace: Pace, clock: Clock, count: int, tokens: int = 100) -> list[float]:
    """Return when each of some requests starts that end at once."""
    begin, times = clock.now, []
    for _ in range(count):
        assert pace.enter(tokens)
        times.append(clock.now - begin)
        pace.leave()
    return times


def test_requests__of_a_minute_are_spaced_evenly(clock: Clock) -> None:
    pace = Pace(QueueLimits(requests_per_minute=30))
    assert _starts(pace, clock, 4) == pytest.approx([0.0, 2.0, 4.0, 6.0])


def test_tokens__of_a_minute_are_not_exceeded(clock: Clock) -> None:
    pace = Pace(QueueLimits(requests_per_minute=60, tokens_per_minute=6000))
    assert _starts(pace, clock, 3, tokens=500) == pytest.approx([0.0, 5.0, 10.0])
    assert _starts(pace, clock, 3, tokens=10) == pytest.approx([5.0, 6.0, 7.0])


def test_tokens__beyond_the_guess_delay_the_next_request(clock: Clock) -> None:
    pace = Pace(QueueLimits(tokens_per_minute=6000))
    begin = clock.now
    assert pace.enter(100)
    pace.leave(more_tokens=400)
    assert pace.enter(100)
    assert clock.now - begin == pytest.approx(5.0)


def test_hold__keeps_everybody_waiting_as_long_as_the_server_asks(clock: Clock) -> None:
    pace = Pace(QueueLimits())
    pace.hold(30.0)
    pace.hold(10.0)  # another was told less
    assert pace.held_seconds == pytest.approx(30.0)
    assert _starts(pace, clock, 2) == pytest.approx([30.0, 30.0])
    assert pace.held_seconds == 0.0


def test_busy_server__is_asked_half_as_much_at_once_and_slowly_more(clock: Clock) -> None:
    pace = Pace(QueueLimits(at_once=8))
    assert pace.at_once == 1  # until it is known that it answers at all
    pace.went_well()
    assert pace.at_once == 8
    pace.hold(5.0)
    pace.hold(5.0)  # of the same burst
    assert pace.at_once == 4
    for _ in range(4):
        pace.went_well()
    assert pace.at_once == 4
    pace.went_well()
    assert pace.at_once == 5
    for _ in range(100):
        pace.went_well()
    assert pace.at_once == 8


def test_backoff__doubles_to_a_bound_and_is_never_the_same_for_all() -> None:
    for attempt in range(1, 40):
        longest = min(module.FIRST_WAIT * 2 ** (attempt - 1), module.LONGEST_WAIT)
        drawn = [backoff(attempt) for _ in range(200)]
        assert longest / 2 <= min(drawn) < max(drawn) <= longest
        assert max(drawn) - min(drawn) > longest / 4
