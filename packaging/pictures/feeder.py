"""Batches made in another process while the model learns from the one before."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Full
from typing import Any

AHEAD = 4
_LOOK_S = 5.0
"""How often it is looked whether the process that learns is still there."""


def _fill(queue: Queue[Any], make: Callable[[Path, int], Iterator[Any]], *args: Any) -> None:
    learning = multiprocessing.parent_process()
    for batch in make(*args):
        while learning is not None and learning.is_alive():
            try:
                queue.put(batch, timeout=_LOOK_S)
                break
            except Full:
                continue
        else:
            queue.cancel_join_thread()  # what nobody will take is not waited for
            return


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
