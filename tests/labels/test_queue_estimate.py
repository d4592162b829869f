"""What requests will take is said before they are made, and comes nearer once some were."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from scripted_model import ScriptedModel, answer_of, ask_of

from sae_desktop.jobs import SilentContext
from sae_desktop.labels.queue.asking import ask_all
from sae_desktop.labels.queue.estimate import estimate, usual_of
from sae_desktop.labels.queue.ledger import Ledger
from sae_desktop.labels.queue.limits import QueueLimits

SAMPLE = [ask_of("x" * size, most_tokens=100) for size in (300, 500)]
LIMITS = QueueLimits(price_in=1.0, price_out=10.0, requests_per_minute=60)


def test_estimate__is_at_most_what_answers_may_be_long_while_nothing_is_known() -> None:
    told = estimate(SAMPLE, 1000, LIMITS)
    assert (told.prompt_tokens, told.answer_tokens) == (100_000, 100_000)
    assert told.cost == pytest.approx(0.1 + 1.0)
    assert told.seconds == 1000.0
    assert not told.measured


def test_estimate__goes_by_what_the_model_took_before(tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    assert usual_of(path, "scripted") is None
    model = ScriptedModel(lambda prompt, before: answer_of(prompt, len(prompt) // 2, 7))
    asks = [(n, ask_of(f"{n:0100d}")) for n in range(6)]
    with closing(Ledger(path)) as ledger:
        assert len(list(ask_all(asks, model, ledger, QueueLimits(), SilentContext()))) == 6
        usual = usual_of(path, "scripted")  # while the ledger is open
    assert usual is not None
    assert usual_of(path, "another") is None
    told = estimate(SAMPLE, 1000, LIMITS, usual)
    assert (told.prompt_tokens, told.answer_tokens) == (200_000, 7_000)
    assert told.measured
