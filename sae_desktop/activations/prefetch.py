"""Work done ahead in a thread, while the consumer computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sae_desktop.interruption import check_interrupted, interrupted_by

T = TypeVar("T")
_POLL_SECONDS = 0.1


class _ClosedError(Exception):
    """Nobody waits any more for what is read, or it has ended with an error."""


def prefetch(
    source: Iterator[T], depth: int = 4, *, while_waiting: Callable[[], None] = check_interrupted
) -> Generator[T, None, None]:
    """Yield what `source` yields, up to `depth` items ahead of the consumer.

    An exception of the source is raised here, after the items before it. The thread ends with
    this generator, in the middle of reading too: close it, or use it up. `while_waiting` is
    called again and again while nothing is ready, and may raise.
    """
    closed = threading.Event()

    def check_open() -> None:
        if closed.is_set():
            raise _ClosedError

    def read() -> T | None:
        check_open()
        try:
            with interrupted_by(check_open):
                return next(source, None)
        except BaseException:
            closed.set()
            raise

    with ThreadPoolExecutor(1, "prefetch") as thread:
        try:
            ahead: deque[Future[T | None]] = deque(thread.submit(read) for _ in range(depth))
            while True:
                while not wait([ahead[0]], _POLL_SECONDS).done:
                    while_waiting()
                item = ahead.popleft().result()
                if item is None:
                    return
                ahead.append(thread.submit(read))
                yield item
        finally:
            closed.set()
