"""Writing while the model runs: a separate thread puts rows into a segment."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType

from sae_desktop.activations.harvest_rows import BatchMaker, PendingGroup
from sae_desktop.activations.store_writer import SegmentWriter

_WAITING = 2
"""Groups read ahead of the writing; each holds its rows in memory."""
_POLL_SECONDS = 0.1


class StoreFiller:
    """Appends groups to a segment in a thread, and commits every few seconds.

    Leaving the context commits what was appended, however it is left.
    """

    def __init__(self, writer: SegmentWriter, maker: BatchMaker, commit_seconds: float) -> None:
        self._writer, self._maker, self._seconds = writer, maker, commit_seconds
        self._work: queue.Queue[PendingGroup | Callable[[], None] | None] = queue.Queue(_WAITING)
        self._failure: BaseException | None = None
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="store-filler", daemon=True)

    def __enter__(self) -> StoreFiller:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread. Raises what it met, unless an error is under way already."""
        if not self._failed.is_set():
            self._put(None)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def append(self, pending: PendingGroup) -> None:
        """Hand a group over; waits while others are being written.

        Raises what an earlier group met: UserError, SegmentFullError.
        """
        self._put(pending)
        if self._failure is not None:
            raise self._failure

    def commit(self) -> None:
        """Wait until all that was handed over is written and committed."""
        done = threading.Event()

        def commit_now() -> None:
            self._writer.commit()
            done.set()

        self._put(commit_now)
        while not done.wait(_POLL_SECONDS):
            if self._failure is not None:
                raise self._failure

    def _put(self, item: PendingGroup | Callable[[], None] | None) -> None:
        while not self._failed.is_set():
            try:
                self._work.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def _fill(self) -> None:
        try:
            try:
                self._fill_until_told()
            finally:
                self._writer.commit()
        except BaseException as error:
            self._failure = error
            self._failed.set()

    def _fill_until_told(self) -> None:
        committed = time.monotonic()
        while (item := self._work.get()) is not None:
            if not isinstance(item, PendingGroup):
                item()
                continue
            self._writer.append(self._maker.batch(item))
            if time.monotonic() - committed > self._seconds:
                self._writer.commit()
                committed = time.monotonic()
