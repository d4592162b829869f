"""How far a queue of requests is, in figures that travel as metrics of its job. Free of Qt."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Literal

import msgspec

from sae_desktop.labels.chat import Answer, ErrorKind
from sae_desktop.labels.queue.limits import QueueLimits

End = Literal["", "all", "cap", "stopped"]
"""Why a queue ended: all was asked, the spending cap was reached, a person stopped it."""

RATE_SECONDS = 60.0
"""The rate is that of the answers of the last so many seconds."""


class QueueProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, by what became of them, and what they took. Money is in the currency of the
    prices that were given."""

    total: int = 0
    """0: not known in advance."""
    answered: int = 0
    """In this start."""
    kept: int = 0
    """Answered by an earlier start: they cost nothing."""
    failed: int = 0
    attempts: int = 0
    """Requests sent in this start, repeated ones too."""
    interrupted: int = 0
    """Under way when an earlier start was killed: they are asked again."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0
    unsure: float = 0.0
    """At most, of attempts that were interrupted: the server may have charged for them."""
    most_cost: float = 0.0
    """The cap; 0: none."""
    rate: float = 0.0
    """Answers a second; 0: not known yet."""
    held_seconds: float = 0.0
    """How long the server asked to wait, from now."""
    failures: dict[ErrorKind, int] = {}
    """Kind of error → requests that failed for it."""
    ended: End = ""

    @property
    def done(self) -> int:
        return self.answered + self.kept + self.failed

    @property
    def waiting(self) -> int:
        return max(self.total - self.done, 0)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.answer_tokens

    @property
    def seconds_left(self) -> float | None:
        """None: not known."""
        if not self.rate or not self.total:
            return None
        return self.waiting / self.rate + self.held_seconds

    def and_then(self, later: QueueProgress) -> QueueProgress:
        """Return the figures of two queues of one job as those of one, ended as the later."""
        sums = {
            name: getattr(self, name) + getattr(later, name)
            for name in (
                "total", "answered", "kept", "failed", "attempts", "interrupted",
                "prompt_tokens", "answer_tokens", "cost", "unsure",
            )
        }  # fmt: skip
        kinds = {*self.failures, *later.failures}
        both = {k: self.failures.get(k, 0) + later.failures.get(k, 0) for k in kinds}
        cap = self.most_cost or later.most_cost
        return msgspec.structs.replace(later, **sums, failures=both, most_cost=cap)

    def left_of(self, limits: QueueLimits) -> QueueLimits | None:
        """Return the limits of what the job asks next, less what it spent; None: nothing left."""
        if not limits.most_cost:
            return limits
        left = limits.most_cost - self.cost - self.unsure
        return msgspec.structs.replace(limits, most_cost=left) if left > 0.0 else None


_FAILURE, _ENDED = "failed_", "ended_"


def to_metrics(progress: QueueProgress) -> dict[str, float]:
    """Return the figures of a queue as a point of its job's curves."""
    figures = msgspec.structs.asdict(progress)
    failures, ended = figures.pop("failures"), figures.pop("ended")
    values = {name: float(value) for name, value in figures.items()}
    values |= {_FAILURE + kind: float(count) for kind, count in failures.items()}
    return values | ({_ENDED + ended: 1.0} if ended else {})


def from_metrics(values: Mapping[str, float]) -> QueueProgress:
    """Return what `to_metrics` was given."""
    fields: dict[str, object] = {
        name: values[name] for name in QueueProgress.__struct_fields__ if name in values
    }
    fields["failures"] = {
        name.removeprefix(_FAILURE): value
        for name, value in values.items()
        if name.startswith(_FAILURE)
    }
    fields["ended"] = next(
        (name.removeprefix(_ENDED) for name in values if name.startswith(_ENDED)), ""
    )
    return msgspec.convert(fields, QueueProgress, strict=False)


class Tally:
    """Counts while requests are under way; from several threads."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._now = QueueProgress(total=total)
        self._times: deque[float] = deque()
        self._started = time.monotonic()

    def add(self, **counts: float) -> None:
        with self._lock:
            more = {name: getattr(self._now, name) + count for name, count in counts.items()}
            self._now = msgspec.structs.replace(self._now, **more)

    def answered(self, answer: Answer, keys: int) -> None:
        self.add(
            answered=keys,
            prompt_tokens=answer.prompt_tokens,
            answer_tokens=answer.answer_tokens,
        )
        self._times.extend([time.monotonic()] * keys)

    def failed(self, kind: ErrorKind, keys: int) -> None:
        with self._lock:
            failures = self._now.failures
            self._now = msgspec.structs.replace(
                self._now,
                failed=self._now.failed + keys,
                failures=failures | {kind: failures.get(kind, 0) + keys},
            )
        self._times.extend([time.monotonic()] * keys)

    def now(self, **also: object) -> QueueProgress:
        """Return the figures as they are now, with others put among them."""
        now = time.monotonic()
        while self._times and self._times[0] < now - RATE_SECONDS:
            self._times.popleft()
        seconds = min(now - self._started, RATE_SECONDS)
        rate = len(self._times) / seconds if seconds > 0 else 0.0
        with self._lock:
            return msgspec.structs.replace(self._now, rate=rate, **also)


def short_words(progress: QueueProgress) -> str:
    """Return what stands beside the progress bar."""
    words = []
    if progress.failed:
        words.append(f"{progress.failed:,} failed")
    if progress.kept:
        words.append(f"{progress.kept:,} answered before")
    if progress.tokens:
        words.append(f"{progress.tokens:,} tokens")
    if progress.cost or progress.most_cost:
        cap = f" of {progress.most_cost:,.2f}" if progress.most_cost else ""
        words.append(f"cost {progress.cost + progress.unsure:,.4g}{cap}")
    if progress.held_seconds >= 1.0:
        seconds = math.ceil(progress.held_seconds)
        words.append(f"the server asks to wait {seconds:,} s")
    return " · ".join(words)
