"""Work done ahead in a thread, while the consumer computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.1


def prefetch(source: Iterator[T], depth: int = 4) -> Generator[T, None, None]:
    """Yield what `source` yields, up to `depth` items ahead of the consumer.

    An exception of the source is raised here, after the items before it. The thread ends with
    this generator: close it, or use it up.
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

    def fill() -> None:
        try:
            for item in source:
                if not put(item):
                    return
        except BaseException as error:
            failure.append(error)
        put(None)

    thread = threading.Thread(target=fill, name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not None:
            yield item
        if failure:
            raise failure[0]
    finally:
        stop.set()
        thread.join()
