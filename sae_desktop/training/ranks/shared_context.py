"""The job's context on several ranks: one of them speaks, and what ends the run ends all alike."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import torch

from sae_desktop.errors import JobCancelledError
from sae_desktop.jobs import JobContext
from sae_desktop.training.ranks.group import Ranks


class SharedContext:
    """Implements JobContext. Between two steps `adjustments` asks all ranks whether to end.

    Before the first step each rank heeds its own cancel. What one is asked during a step, all do
    after it. A pause is not heeded: there is no window that would ask for one.
    """

    pause_requested = False

    def __init__(self, own: JobContext, ranks: Ranks) -> None:
        self._own, self._ranks = own, ranks
        self._stepping = self._cancelled = self._stopped = False

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if self._ranks.place.leads:
            self._own.progress(done, total, unit, message)

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        if self._ranks.place.leads:
            self._own.metric(step, values)

    def output(self, data: msgspec.Struct) -> None:
        if self._ranks.place.leads:
            self._own.output(data)

    def log(self, message: str) -> None:
        if self._ranks.place.leads:
            self._own.log(message)

    @property
    def stop_requested(self) -> bool:
        return self._stopped

    @property
    def ending(self) -> bool:
        return self._own.ending

    def adjustments(self) -> Mapping[str, float]:
        self._stepping = True
        asked = [float(self._asked_to_cancel()), float(self._own.stop_requested)]
        together = self._ranks.sum_(torch.tensor(asked, device=self._ranks.device)).tolist()
        self._cancelled, self._stopped = (number > 0 for number in together)
        return {}

    def check_cancelled(self) -> None:
        if not self._stepping:
            self._own.check_cancelled()
        elif self._cancelled:
            raise JobCancelledError

    def _asked_to_cancel(self) -> bool:
        try:
            self._own.check_cancelled()
        except JobCancelledError:
            return True
        return False
