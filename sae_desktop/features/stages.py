"""How long each stage of a job takes: what its progress says it is doing, and for how long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from sae_desktop.jobs import JobContext


class StageTime(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a job that has ended."""

    name: str
    seconds: float
    processor_seconds: float
    """Of all threads of the process, whatever else it did meanwhile."""


def longest_first(stages: Sequence[StageTime]) -> list[StageTime]:
    """Return the stages, the one that took longest at the top."""
    return sorted(stages, key=lambda stage: -stage.seconds)


class StageClock:
    """A job's context that takes the time of whatever the job says it is doing.

    A stage lasts until another one is named; what comes before any counts as `opening`. Time for
    which the job was paused counts for none. Of a stage that comes back, the times are added.
    """

    def __init__(self, context: JobContext, opening: str) -> None:
        self._context = context
        self._times: dict[str, list[float]] = {}
        self._begin(opening)

    @property
    def context(self) -> JobContext:
        """This clock, as what is handed to the parts of the job."""
        return cast("JobContext", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if message and message != self._name:
            self._end()
            self._begin(message)
        self._context.progress(done, total, unit, message)

    def check_cancelled(self) -> None:
        before = time.perf_counter()
        self._context.check_cancelled()
        self._since += time.perf_counter() - before

    def stages(self) -> tuple[StageTime, ...]:
        """Return the stages so far, in the order in which they began."""
        self._end()
        self._begin(self._name)
        return tuple(
            StageTime(name=name, seconds=seconds, processor_seconds=processor)
            for name, (seconds, processor) in self._times.items()
        )

    def _begin(self, name: str) -> None:
        self._name = name
        self._since, self._processor = time.perf_counter(), time.process_time()

    def _end(self) -> None:
        spent = self._times.setdefault(self._name, [0.0, 0.0])
        spent[0] += time.perf_counter() - self._since
        spent[1] += time.process_time() - self._processor
