"""The cheap ways beside a monitor are tried at their best, and who wins is said in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sae_desktop.safety.monitors.config import Power
from sae_desktop.safety.monitors.fitting import DIFFERENCE, PROBE, RANDOM, Texts, rivals
from sae_desktop.steering.gate_config import Pool, Readout
from sae_desktop.words.monitor_text import needed_text, winner_text


def texts() -> Texts:
    draw = torch.Generator().manual_seed(0)
    sides = [[torch.randn(5, 4, generator=draw) + shift for _ in range(4)] for shift in (1.0, 0.0)]
    return Texts(sides[0], sides[1], [str(n) for n in range(8)])


@pytest.mark.parametrize(("pool", "read"), [("max", "mean"), ("mean", "mean"), ("token", "token")])
def test_rivals__are_read_as_they_were_learnt(pool: Pool, read: Pool) -> None:
    places: Any = (SimpleNamespace(width=4),)
    found = {one.what: one.reader.pool for one in rivals(texts(), places, Readout(pool=pool), 0)}
    assert found == {DIFFERENCE: read, PROBE: read, RANDOM: pool}


def caught(what: str, count: int) -> Power:
    return Power(
        what=what, threshold=1.0, caught=count, of=20, wilson=(0.0, 1.0),
        exact=(count / 20, count / 20), near_misses=0, near_of=20,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (12, 18, "The cheaper way wins: difference of means catches 18"),
        (18, 12, "It catches 18 of 20 texts of the concept; the best cheap way"),
        (9, 9, "as many at the same promise"),
        (0, 0, "Nothing catches any of the 20 texts"),
    ],
)
def test_winner__is_who_catches_most(own: int, other: int, said: str) -> None:
    assert said in winner_text([caught("feature 3", own), caught("Difference of means", other)])


def test_estimate__says_what_a_promise_takes_and_what_the_text_can_back() -> None:
    told, enough = needed_text(0.01, 0.95, "bound", "message", 298)
    assert (enough, "at least 299 documents" in told) == (False, True)
    assert "this text has 298, which can back 1.01% at least" in told
    assert needed_text(0.01, 0.95, "bound", "message", 299)[1]
    assert not needed_text(0.01, 0.95, "bound", "message", 5000, 298)[1]
    assert needed_text(0.01, 0.95, "conformal", "token", 99)[1]
