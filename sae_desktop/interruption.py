"""Lets low-level readers that know nothing of jobs stop when their job is cancelled.

Whoever runs a job, or reads ahead for one in a thread, says what is to be asked meanwhile; whoever
may read for long asks. In a thread that was told nothing, nothing is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOOK_SECONDS = 0.1
_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def interrupted_by(check: Callable[[], None]) -> Iterator[None]:
    """Let `check_interrupted` in this thread call `check`, which raises to end what runs."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def wait(seconds: float) -> None:
    """Wait, unless this thread is interrupted meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check_interrupted()
        time.sleep(min(left, _LOOK_SECONDS))


def check_interrupted() -> None:
    """Return at once; raise where what this thread does is to end."""
    check = _check.get()
    if check is not None:
        check()
