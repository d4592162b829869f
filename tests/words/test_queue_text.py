"""What is said of requests to a model, before, while and after they are made."""

from __future__ import annotations

import typing

import pytest

from sae_desktop.labels.chat import ErrorKind
from sae_desktop.labels.queue.estimate import QueueEstimate
from sae_desktop.labels.queue.progress import QueueProgress, from_metrics, to_metrics
from sae_desktop.words.queue_text import (
    FAILURE_WORDS,
    cost_text,
    counts_text,
    estimate_text,
    failures_text,
    left_text,
    money_text,
    rate_text,
    summary_text,
)

PROGRESS = QueueProgress(
    total=1000,
    answered=400,
    kept=9,
    failed=3,
    prompt_tokens=300_000,
    answer_tokens=40_000,
    cost=0.3,
    unsure=0.01,
    most_cost=2.0,
    rate=0.5,
    failures={"server": 2, "too_long": 1},
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.0, "0"), (0.9, "0.90"), (12.404, "12.40"), (1234.5, "1,234.50"), (0.0042, "0.0042"),
     (0.05, "0.05"), (0.00996, "0.0100")],
)  # fmt: skip
def test_money__has_two_digits_that_count(amount: float, text: str) -> None:
    assert money_text(amount) == text


def test_estimate__says_what_requests_will_take_and_where_they_stop() -> None:
    known = QueueEstimate(
        requests=1000, prompt_tokens=1_100_000, answer_tokens=100_000, cost=0.9, most_cost=2.0,
        seconds=700.0, measured=True,
    )  # fmt: skip
    assert estimate_text(known) == (
        "1,000 requests, about 1.2M tokens, about 12 min, about 0.90 at the prices you gave; "
        "it stops at 2.00."
    )
    free = QueueEstimate(requests=1, prompt_tokens=900, answer_tokens=100, cost=0.0)
    assert estimate_text(free) == "1 request, up to 1k tokens."


def test_progress__is_told_in_counts_rates_and_money() -> None:
    assert counts_text(PROGRESS) == "412 of 1,000 requests done, 3 of them failed"
    assert rate_text(PROGRESS) == "30.0 per minute"
    assert left_text(PROGRESS) == "about 20 min"
    assert cost_text(PROGRESS) == "0.31 of 2.00"
    assert cost_text(QueueProgress()) == "free"


def test_failures__are_counted_by_their_reasons() -> None:
    assert failures_text(PROGRESS) == (
        "3 requests failed: 2 because the server failed; 1 because the prompt does not fit the "
        "model."
    )
    alone = QueueProgress(failed=1, failures={"timeout": 1})
    assert failures_text(alone) == "1 request failed because no answer came in time."
    assert failures_text(QueueProgress()) == ""


def test_failures__of_every_kind_have_words() -> None:
    assert set(FAILURE_WORDS) == set(typing.get_args(ErrorKind))


@pytest.mark.parametrize(
    ("ended", "begins"),
    [
        ("all", "All 412 requests are done. It took 340k tokens, cost 0.31. 3 requests failed:"),
        ("cap", "The spending limit of 2.00 was reached after 412 requests."),
        ("stopped", "Stopped after 412 requests; start it again to continue."),
        ("", "It ended after 412 requests."),
    ],
)
def test_summary__says_why_it_ended(ended: str, begins: str) -> None:
    told = from_metrics(to_metrics(PROGRESS) | ({f"ended_{ended}": 1.0} if ended else {}))
    assert summary_text(told).startswith(begins)
    assert "9 requests were answered before and cost nothing now." in summary_text(told)
    assert "up to 0.01 is for requests that were interrupted" in summary_text(told)


def test_progress__comes_back_whole_from_metrics() -> None:
    assert from_metrics(to_metrics(PROGRESS)) == PROGRESS
