"""Batches made in another process while the model learns from the one before."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

AHEAD = 4


def _fill(queue: Queue[Any], make: Callable[[Path, int], Iterator[Any]], *args: Any) -> None:
    for batch in make(*args):
        queue.put(batch)


def fed(make: Callable[[Path, int], Iterator[Any]], cache: Path, seed: int) -> Iterator[Any]:
    """Yield what `make(cache, seed)` yields; the process ends with this one."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Any] = context.Queue(AHEAD)
    process = context.Process(target=_fill, args=(queue, make, cache, seed), daemon=True)
    process.start()
    try:
        while True:
            yield queue.get(timeout=3600)
    finally:
        process.terminate()
