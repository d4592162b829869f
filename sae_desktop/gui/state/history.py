"""Where a person has been: a list with a place in it, as in a browser. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = 200


@dataclass(frozen=True)
class Place:
    """A workspace, and the feature that was open in it."""

    workspace: str
    index: str = ""
    feature: int | None = None


class History:
    """Back and forward over places."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._at = -1

    @property
    def current(self) -> Place | None:
        return self._places[self._at] if self._places else None

    @property
    def visits(self) -> list[Place]:
        """All places in the order they were visited."""
        return list(self._places)

    @property
    def at(self) -> int:
        """Which of `visits` is the present place; −1 without any."""
        return self._at

    def restore(self, visits: Sequence[Place], at: int) -> None:
        """Be where one was on a way gone before; where that is not known, at its end."""
        self._places = list(visits[-LIMIT:])
        self._at = at if 0 <= at < len(self._places) else len(self._places) - 1

    @property
    def can_go_back(self) -> bool:
        return self._at > 0

    @property
    def can_go_forward(self) -> bool:
        return self._at < len(self._places) - 1

    def visit(self, place: Place) -> None:
        """Go to a new place; what lay ahead is forgotten. The present place again is no visit."""
        if place == self.current:
            return
        self._places = [*self._places[: self._at + 1], place][-LIMIT:]
        self._at = len(self._places) - 1

    def back(self) -> Place:
        """Step back. Raises IndexError at the beginning."""
        if not self.can_go_back:
            raise IndexError("nothing to go back to")
        self._at -= 1
        return self._places[self._at]

    def forward(self) -> Place:
        """Step forward. Raises IndexError at the end."""
        if not self.can_go_forward:
            raise IndexError("nothing to go forward to")
        self._at += 1
        return self._places[self._at]
