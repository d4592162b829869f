"""How often a training measures the loss recovered, which takes passes of the model itself."""

from __future__ import annotations

SHARE = 0.1
"""Of the time of the training proper, what the measurements may take."""
_FIRST = 0.25
"""Of that, what the first one may take: it also measures the model as it is, and ablated."""


class LossPace:
    """Shared by the runs of a pass, which take turns."""

    def __init__(self, runs: int = 1) -> None:
        self._runs = runs
        self.spent = 0.0
        """Seconds of all measurements so far."""
        self._cost = 0.0
        """Seconds of the last one, of one run; 0: none yet."""
        self._decided: tuple[int, bool] = (-1, False)

    def due(self, step: int, seconds: float, done: float) -> bool:
        """Return whether there is time for a measurement at a step, and for that at the end.

        `seconds`: of the pass so far, measurements included; `done`: the share of it that is
        done. All runs of a pass get the same answer at a step.
        """
        if step != self._decided[0]:
            needed = 2 * self._runs * self._cost
            room = self.budget(seconds, done) - self.spent
            self._decided = (step, needed < room)
        return self._decided[1]

    def budget(self, seconds: float, done: float) -> float:
        """Return the seconds that all measurements of the pass may take."""
        proper = max(seconds - self.spent, 0.0)
        return SHARE * proper / max(done, 1e-9)

    def limit(self, seconds: float, done: float) -> float:
        """Return the seconds that the first measurement may take."""
        return _FIRST * self.budget(seconds, done) / self._runs

    def took(self, seconds: float) -> None:
        self.spent += seconds
        self._cost = seconds
