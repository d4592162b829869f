"""What a queue of requests will take, said before any is made. Free of torch and Qt."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from sae_desktop.labels.chat import Ask
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.purse import Purse, likely_prompt_tokens

_FEWEST = 5
"""Answers from which what a model usually takes is told."""
_LATEST = 200


class Usual(msgspec.Struct, frozen=True):
    """What requests to a model took so far, on average."""

    tokens_per_byte: float
    """Of the prompt."""
    answer_tokens: float
    seconds: float
    """From a request to its answer."""


class QueueEstimate(msgspec.Struct, frozen=True, kw_only=True):
    requests: int
    prompt_tokens: int
    answer_tokens: int
    """At most as many, unless `measured`."""
    cost: float
    most_cost: float = 0.0
    """The cap; 0: none."""
    seconds: float | None = None
    """None: not known."""
    measured: bool = False
    """Whether it follows from what this model took for earlier requests of the project."""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.answer_tokens


def estimate(
    sample: Sequence[Ask], requests: int, limits: QueueLimits, usual: Usual | None = None
) -> QueueEstimate:
    """Return what many requests like those of a sample will take.

    `usual`: what the model took before, of `usual_of`. Raises UserError for a cap without prices.
    """
    purse = Purse(limits)
    share = requests / len(sample) if sample else 0.0
    sizes = [sum(len(m.content.encode()) for m in ask.messages) for ask in sample]
    if usual is None:
        prompt = share * sum(likely_prompt_tokens(size) for size in sizes)
        answer = share * sum(ask.most_tokens for ask in sample)
    else:
        prompt = share * sum(sizes) * usual.tokens_per_byte
        answer = requests * min(
            usual.answer_tokens, max((a.most_tokens for a in sample), default=0)
        )
    return QueueEstimate(
        requests=requests,
        prompt_tokens=round(prompt),
        answer_tokens=round(answer),
        cost=purse.cost(round(prompt), round(answer)),
        most_cost=limits.most_cost,
        seconds=_seconds(requests, prompt + answer, limits, usual),
        measured=usual is not None,
    )


def _seconds(
    requests: int, tokens: float, limits: QueueLimits, usual: Usual | None
) -> float | None:
    """Return the longest of what the model's pace and the limits allow."""
    bounds = []
    if usual is not None:
        bounds.append(requests * usual.seconds / limits.at_once)
    if limits.requests_per_minute:
        bounds.append(60.0 * requests / limits.requests_per_minute)
    if limits.tokens_per_minute:
        bounds.append(60.0 * tokens / limits.tokens_per_minute)
    return max(bounds) if bounds else None


def usual_of(ledger: Path, model: str) -> Usual | None:
    """Return what the latest requests to a model took; None where there are too few.

    Reads the ledger's file without changing it, and may be called where there is none.
    """
    if not ledger.is_file():
        return None
    query = (
        "SELECT count(*), total(prompt_tokens), total(prompt_bytes), total(answer_tokens), "
        "total(ended - asked) FROM (SELECT * FROM requests WHERE model = ? AND "
        "state = 'answered' AND prompt_tokens > 0 ORDER BY number DESC LIMIT ?)"
    )
    try:
        with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            count, prompt, size, answer, seconds = opened.execute(
                query, (model, _LATEST)
            ).fetchone()
    except sqlite3.Error:  # whoever asks for more than an estimate is told
        return None
    if count < _FEWEST or not size:
        return None
    return Usual(prompt / size, answer / count, max(seconds / count, 0.0))
