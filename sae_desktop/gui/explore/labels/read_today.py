"""How many features were read today, so that a person sees how far they have come. Free of Qt."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

_MOST = 20_000


class ReadToday:
    """Features read since midnight; a new day begins with none."""

    def __init__(self, today: Callable[[], datetime.date] = datetime.date.today) -> None:
        self._today = today
        self._day = today()
        self._features: dict[int, None] = {}

    def _turn(self) -> None:
        if self._day != self._today():
            self._day, self._features = self._today(), {}

    def __len__(self) -> int:
        self._turn()
        return len(self._features)

    def __contains__(self, feature: object) -> bool:
        self._turn()
        return feature in self._features

    def add(self, feature: int) -> None:
        """Count a feature, once a day."""
        self._turn()
        self._features[feature] = None

    def discard(self, feature: int) -> None:
        """Count a feature no longer: it is to be read again."""
        self._turn()
        self._features.pop(feature, None)

    def kept(self) -> dict[str, Any]:
        """Return what brings the count back."""
        self._turn()
        return {"day": self._day.isoformat(), "features": list(self._features)[-_MOST:]}

    def give(self, kept: dict[str, Any]) -> None:
        """Bring back what `kept` returned, where it is of today."""
        self._turn()
        if kept["day"] == self._day.isoformat():
            self._features = dict.fromkeys(int(feature) for feature in kept["features"])
