"""A job context for tests: remembers what it was told, and can cancel, pause or stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from sae_desktop.errors import JobCancelledError


class RecordingContext:
    """Keeps progress, metrics, outputs and log lines.

    After `cancel_after` calls of `check_cancelled` the job is cancelled; `on_check` is called
    with the number of each.
    """

    def __init__(
        self,
        cancel_after: int | None = None,
        stop_after: int | None = None,
        on_check: Callable[[int], None] | None = None,
    ) -> None:
        self.checks = 0
        self.cancel_after = cancel_after
        self.stop_after = stop_after
        self.on_check = on_check
        self.pause_requested = False
        self.adjusted: dict[str, float] = {}
        self.steps: list[tuple[float, float, str]] = []
        self.doing: list[str] = []
        """What it said it was doing beside its progress, each once."""
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.outputs: list[msgspec.Struct] = []
        self.lines: list[str] = []

    @property
    def stop_requested(self) -> bool:
        return self.stop_after is not None and self.checks > self.stop_after

    @property
    def ending(self) -> bool:
        return self.pause_requested or self.stop_requested

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        self.steps.append((done, total, unit))
        if message and message not in self.doing:
            self.doing.append(message)

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        self.metrics.append((step, dict(values)))

    def output(self, data: msgspec.Struct) -> None:
        self.outputs.append(data)

    def log(self, message: str) -> None:
        self.lines.append(message)

    def adjustments(self) -> Mapping[str, float]:
        taken, self.adjusted = self.adjusted, {}
        return taken

    def check_cancelled(self) -> None:
        self.checks += 1
        if self.on_check is not None:
            self.on_check(self.checks)
        if self.cancel_after is not None and self.checks > self.cancel_after:
            raise JobCancelledError


def cancelled_at(done: float, unit: str) -> RecordingContext:
    """Return a context that is cancelled once a job has told of `done` units."""

    def ask(_number: int) -> None:
        if context.steps and context.steps[-1][2] == unit and context.steps[-1][0] >= done:
            raise JobCancelledError

    context = RecordingContext(on_check=ask)
    return context
