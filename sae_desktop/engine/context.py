"""The context a job is run with: remembers what the job says and sends it in good time.

What a job says is kept and sent together at most `FLUSHES_PER_SECOND` times a second, so
that neither a chatty job nor a slow reader costs the other anything.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import msgspec

from sae_desktop.engine.protocol import (
    Event,
    JobLog,
    JobMetrics,
    JobOutput,
    JobPaused,
    JobProgress,
    JobResumed,
    Streamed,
)
from sae_desktop.errors import JobCancelledError

FLUSHES_PER_SECOND = 25.0
RATE_SECONDS = 4.0
"""Time over which the rate is smoothed."""

Emit = Callable[[list[Event]], None]


class RateMeter:
    """Units a second, the recent past weighing more."""

    def __init__(self) -> None:
        self._key: tuple[str, float] | None = None
        self._last = (0.0, 0.0)
        self._units = 0.0
        self._seconds = 0.0

    def restart(self) -> None:
        """Forget the past: the next reading is the first."""
        self._key = None

    def add(self, done: float, total: float, unit: str, now: float) -> float:
        """Take a reading at time `now` in seconds and return the rate; 0 while unknown.

        Another unit or total, or less done than before, begins another phase of the job.
        """
        last_done, last_now = self._last
        self._last = (done, now)
        if self._key != (unit, total) or done < last_done:
            self._key = (unit, total)
            self._units = self._seconds = 0.0
            return 0.0
        fade = math.exp(-(now - last_now) / RATE_SECONDS)
        self._units = self._units * fade + done - last_done
        self._seconds = self._seconds * fade + now - last_now
        return self._units / self._seconds if self._seconds > 0 else 0.0


class WorkerContext:
    """Implements JobContext; `emit` gets lists of events, from several threads but in order."""

    def __init__(
        self, job_id: str, emit: Emit, streams: type[msgspec.Struct] | None = None
    ) -> None:
        """`streams`: what the job hands on while it runs, as its kind says."""
        self.job_id = job_id
        self._emit = emit
        self._streams = streams
        # Reentrant, since a signal handler may ask for a cancel in the thread that holds it.
        self._control = threading.Condition(threading.RLock())
        self._adjustments: dict[str, float] = {}
        self._paused = self._cancelled = self._stopped = False
        self._sending = threading.RLock()
        self._pending_lock = threading.RLock()
        self._pending: list[Event] = []
        self._steps: list[int] = []
        self._values: list[dict[str, float]] = []
        self._latest: tuple[float, float, str, str] | None = None
        self._rate = RateMeter()

    # What the job says.
    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        self._latest = (float(done), float(total), unit, message)

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        # JSON has no NaN; a quantity not measured at this step is left out.
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        with self._pending_lock:
            self._steps.append(int(step))
            self._values.append(finite)

    def output(self, data: msgspec.Struct) -> None:
        if self._streams is None or not isinstance(data, self._streams):
            raise TypeError(f"its kind of job does not say that it streams {type(data).__name__}")
        output = JobOutput(job_id=self.job_id, data=cast(Streamed, data))
        with self._pending_lock:
            self._pending.append(output)

    def log(self, message: str) -> None:
        with self._pending_lock:
            self._pending.append(JobLog(job_id=self.job_id, message=message))

    # What the job is asked.
    @property
    def pause_requested(self) -> bool:
        return self._paused

    @property
    def stop_requested(self) -> bool:
        return self._stopped

    @property
    def ending(self) -> bool:
        return self._paused or self._stopped or self._cancelled

    @property
    def cancel_requested(self) -> bool:
        return self._cancelled

    def adjustments(self) -> Mapping[str, float]:
        if not self._adjustments:
            return {}
        with self._control:
            taken, self._adjustments = self._adjustments, {}
        return taken

    def check_cancelled(self) -> None:
        if self._cancelled:
            raise JobCancelledError
        if not self._paused:
            return
        self.flush([JobPaused(job_id=self.job_id)])
        with self._control:
            self._control.wait_for(lambda: not self._paused)
        self._rate.restart()
        if self._cancelled:
            raise JobCancelledError
        self.flush([JobResumed(job_id=self.job_id)])

    # What the person asks.
    def request_pause(self) -> None:
        with self._control:
            self._paused = not (self._cancelled or self._stopped)

    def request_resume(self) -> None:
        with self._control:
            self._paused = False
            self._control.notify_all()

    def request_cancel(self) -> None:
        with self._control:
            self._cancelled = True
            self._paused = False
            self._control.notify_all()

    def request_stop(self) -> None:
        with self._control:
            self._stopped = True
            self._paused = False
            self._control.notify_all()

    def request_adjustment(self, values: Mapping[str, float]) -> None:
        """Hand over changed settings; of two changes of one setting the later counts."""
        with self._control:
            self._adjustments = {**self._adjustments, **values}

    def flush(self, then: list[Event] | None = None) -> None:
        """Send what is pending: log and outputs, then metrics, then progress, then `then`."""
        with self._sending:
            events = [*self._take(), *(then or [])]
            if events:
                self._emit(events)

    def _take(self) -> list[Event]:
        with self._pending_lock:
            events, self._pending = self._pending, []
            steps, self._steps = self._steps, []
            values, self._values = self._values, []
            latest, self._latest = self._latest, None
        if steps:
            events.append(JobMetrics(job_id=self.job_id, steps=steps, values=values))
        if latest is not None:
            done, total, unit, message = latest
            rate = self._rate.add(done, total, unit, time.monotonic())
            events.append(
                JobProgress(
                    job_id=self.job_id,
                    done=done,
                    total=total,
                    unit=unit,
                    message=message,
                    rate=rate,
                    seconds_left=max(total - done, 0.0) / rate if rate > 0 else None,
                )
            )
        return events


@contextmanager
def flushing(context: WorkerContext) -> Iterator[None]:
    """Flush the context regularly while the block runs, and once at its end."""
    ended = threading.Event()

    def flush_regularly() -> None:
        while not ended.wait(1 / FLUSHES_PER_SECOND):
            context.flush()

    thread = threading.Thread(target=flush_regularly, name=f"flush {context.job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        context.flush()
