"""The second part of a job: its progress stands on what the first part did."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sae_desktop.jobs import JobContext


class Later:
    """A JobContext whose progress begins where another part of the job ended."""

    def __init__(self, context: JobContext, before: float) -> None:
        self._whole, self._before = context, before

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        self._whole.progress(self._before + done, self._before + total, unit, message)

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        self._whole.metric(step + round(self._before), values)

    def output(self, data: msgspec.Struct) -> None:
        self._whole.output(data)

    def log(self, message: str) -> None:
        self._whole.log(message)

    @property
    def pause_requested(self) -> bool:
        return self._whole.pause_requested

    @property
    def stop_requested(self) -> bool:
        return self._whole.stop_requested

    @property
    def ending(self) -> bool:
        return self._whole.ending

    def adjustments(self) -> Mapping[str, float]:
        return self._whole.adjustments()

    def check_cancelled(self) -> None:
        self._whole.check_cancelled()
