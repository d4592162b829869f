"""Writing while the model runs: a separate thread puts rows into a segment."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from sae_desktop.activations.harvest_rows import BatchMaker, PendingGroup
from sae_desktop.activations.store_writer import SegmentWriter

_WAITING = 2
"""Groups read ahead of the writing; each holds its rows in memory."""


class StoreFiller:
    """Appends groups to a segment in a thread, and commits every few seconds.

    Leaving the context commits what was appended, however it is left.
    """

    def __init__(self, writer: SegmentWriter, maker: BatchMaker, commit_seconds: float) -> None:
        self._writer, self._maker, self._seconds = writer, maker, commit_seconds
        self._thread = ThreadPoolExecutor(1, "store-filler")
        self._handed_over: deque[Future[None]] = deque()
        self._failed = False
        self._committed = time.monotonic()

    def __enter__(self) -> StoreFiller:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread. Raises what it met, unless an error is under way already."""
        self._handed_over.append(self._thread.submit(self._writer.commit))
        self._thread.shutdown()
        if error is None:
            self._wait_until_left(0)

    def append(self, pending: PendingGroup) -> None:
        """Hand a group over; waits while others are being written.

        Raises what an earlier group met: UserError, SegmentFullError.
        """
        self._wait_until_left(_WAITING)
        self._handed_over.append(self._thread.submit(self._write, pending))

    def commit(self) -> None:
        """Wait until all that was handed over is written and committed."""
        self._handed_over.append(self._thread.submit(self._writer.commit))
        self._wait_until_left(0)

    def _wait_until_left(self, count: int) -> None:
        """Wait until at most `count` pieces of work are left. Raises what one of them met."""
        work = self._handed_over
        while work and (len(work) > count or work[0].done()):
            work.popleft().result()

    def _write(self, pending: PendingGroup) -> None:
        if self._failed:  # nothing is written after what could not be
            return
        try:
            self._writer.append(self._maker.batch(pending))
            if time.monotonic() - self._committed > self._seconds:
                self._writer.commit()
                self._committed = time.monotonic()
        except BaseException:
            self._failed = True
            raise
