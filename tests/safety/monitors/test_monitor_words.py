"""A condition and a promise in words, and as they are typed."""

from __future__ import annotations

import pytest
import typer

from sae_desktop.cli.safety_commands import condition
from sae_desktop.safety.monitors.config import Promise
from sae_desktop.steering.gate_config import Gate, gate_text
from sae_desktop.words.monitor_text import promise_text


@pytest.mark.parametrize(
    ("typed", "gate", "said"),
    [
        ("12 > 3", Gate(feature=12, above=3.0), "when #12 > 3"),
        ("#12>0.5", Gate(feature=12, above=0.5), "when #12 > 0.5"),
        ("secrets", Gate(monitor="secrets"), "when “secrets” fires"),
    ],
)
def test_condition__is_read_and_said(typed: str, gate: Gate, said: str) -> None:
    assert condition(typed) == gate
    assert gate_text(gate) == said


def test_condition__that_is_neither_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="neither a monitor nor a feature"):
        condition("twelve > 3")
    assert gate_text(Gate(monitor="m", since=True, where="output")) == (
        "from the first time “m” fires on the output"
    )


def test_promise__says_how_sure_and_on_how_much_text() -> None:
    promise = Promise(
        unit="message", rate=0.01, confidence=0.95, method="bound", blocks=310, units=900,
        firing=1.5, bound=0.0093, blocks_firing=2,
    )  # fmt: skip
    said = promise_text(promise)
    assert "at most 1.00% fire, with a confidence of 95%" in said
    assert "310 documents or chats" in said
    assert "the bound is 0.93%" in said
