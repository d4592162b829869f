"""Where a feature's strengths break the text, and which of them turns it: a search by halving."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.steering.trials import Trial

FIRST, LEAST, MOST = 2.0, 0.25, 8.0
"""Strengths tried first, at least and at most, in multiples of a feature's maximum."""
_NEAR = 1.25
"""How near the strength that breaks is brought to the one that does not, as their ratio."""
_MARGIN = 0.85
"""Of the largest strength that leaves the text whole, what is suggested sooner than that one:
another prompt breaks a little earlier."""

Tries = Callable[[npt.NDArray[np.int64], Sequence[float]], list[Trial]]


class Search:
    """What is tried of one feature, and what is known of it then."""

    def __init__(self, feature: int) -> None:
        self.feature = feature
        self._high, self._broken = 0.0, math.inf
        self._low: float | None = None
        self._lower = 0.0
        """The next strength to try where the feature is turned down."""
        self._trials: dict[float, Trial] = {}
        """Of the strengths above 0 that leave the text whole."""

    @property
    def next(self) -> float | None:
        """The strength to try next; None: nothing more is to be found out."""
        found = self._above or self._within
        if found is None and self._low is None:
            return -(self._lower or max(self._high, LEAST))
        return found

    @property
    def _above(self) -> float | None:
        high, broken = self._high, self._broken
        if math.isinf(broken):
            return None if high >= MOST else min(2 * high, MOST) or FIRST
        if not high:
            return None if broken <= LEAST else broken / 2
        return None if broken / high <= _NEAR else _rounded(math.sqrt(high * broken))

    @property
    def _within(self) -> float | None:
        """A strength a little below the largest, unless one was tried there."""
        if any(_MARGIN * 0.9 <= tried / self._high <= _MARGIN * 1.05 for tried in self._trials):
            return None
        return _rounded(_MARGIN * self._high) if self._high else None

    def take(self, strength: float, trial: Trial) -> None:
        """Take what came of the strength that was next."""
        if strength < 0:
            self._lower = -strength / 2
            if trial.whole or self._lower < LEAST:
                self._low = strength if trial.whole else 0.0
        elif trial.whole:
            self._high = max(self._high, strength)
            self._trials[strength] = trial
        else:
            self._broken = min(self._broken, strength)
            self._trials = {s: t for s, t in self._trials.items() if s < strength}
            self._high = max(self._trials, default=0.0)

    @property
    def known(self) -> KnownStrength:
        """Return what was found out."""
        inner = {s: t for s, t in self._trials.items() if s <= self._high * _MARGIN * 1.05}
        best, works = _best(inner)
        if not works:
            best, works = _best(self._trials)
        return KnownStrength(
            verdict="works" if works else "too_little" if self._high >= MOST else "breaks_first",
            suggested=best if works else None,
            turn=max(self._trials[best].turn, 0.0) if best else 0.0,
            low=self._low or 0.0,
            high=self._high,
        )


def _best(trials: dict[float, Trial]) -> tuple[float, bool]:
    """Return the strength that turns most, and whether it turns most of the texts."""
    best = max(trials, key=lambda s: (trials[s].turned, trials[s].turn, -s), default=0.0)
    return best, bool(best) and trials[best].turned > len(trials[best].turns) / 2


def _rounded(strength: float) -> float:
    return float(f"{strength:.2g}")


def known_strengths(
    features: Sequence[int], tries: Tries, at_once: int
) -> Iterator[tuple[int, KnownStrength]]:
    """Yield each feature with what is known of it, in the order in which they are done.

    `tries` is asked of up to `at_once` features at a time.
    """
    waiting = iter(features)
    active: list[Search] = []
    while True:
        free = range(at_once - len(active))
        active += [Search(feature) for _, feature in zip(free, waiting, strict=False)]
        if not active:
            return
        strengths = [search.next or 0.0 for search in active]
        trials = tries(np.array([search.feature for search in active], np.int64), strengths)
        for search, strength, trial in zip(active, strengths, trials, strict=True):
            search.take(strength, trial)
        done = [search for search in active if search.next is None]
        active = [search for search in active if search.next is not None]
        yield from ((search.feature, search.known) for search in done)
