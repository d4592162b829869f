"""Work done ahead in a thread, while the consumer computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from sae_desktop.interruption import check_interrupted, interrupted_by

T = TypeVar("T")
_POLL_SECONDS = 0.1


class _ClosedError(Exception):
    """Nobody waits any more for what is read."""


def prefetch(
    source: Iterator[T], depth: int = 4, *, while_waiting: Callable[[], None] = check_interrupted
) -> Generator[T, None, None]:
    """Yield what `source` yields, up to `depth` items ahead of the consumer.

    An exception of the source is raised here, after the items before it. The thread ends with
    this generator, in the middle of reading too: close it, or use it up. `while_waiting` is
    called again and again while nothing is ready, and may raise.
    """
    items: queue.Queue[T | None] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def put(item: T | None) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=_POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def check_open() -> None:
        if stop.is_set():
            raise _ClosedError

    def take() -> T | None:
        while True:
            try:
                return items.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                while_waiting()

    def fill() -> None:
        try:
            with interrupted_by(check_open):
                for item in source:
                    if not put(item):
                        return
        except BaseException as error:
            failure.append(error)
        put(None)

    thread = threading.Thread(target=fill, name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := take()) is not None:
            yield item
        if failure:
            raise failure[0]
    finally:
        stop.set()
        thread.join()
