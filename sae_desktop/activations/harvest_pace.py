"""How fast a harvest runs, and how much of the time the model is idle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sae_desktop.jobs import JobContext

METRIC_SECONDS = 1.0


class Pace:
    """Logs tokens per second, and the share of the time spent waiting for text or for the disk."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._told = time.monotonic()
        self._rows: int | None = None
        self._waited = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - began

    def tell(self, rows: int) -> None:
        """Log a point, once a second, at a given number of rows of the store."""
        now = time.monotonic()
        seconds = now - self._told
        if self._rows is None:  # from here on it is counted
            self._rows, self._told, self._waited = rows, now, 0.0
        elif seconds >= METRIC_SECONDS:
            values = {
                "tokens_per_second": (rows - self._rows) / seconds,
                "waited_share": min(1.0, self._waited / seconds),
            }
            self._context.metric(rows, values)
            self._rows, self._told, self._waited = rows, now, 0.0
