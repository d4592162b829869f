"""Which features of the open index stand side by side, and which of them are pinned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count

MOST = 4
"""Features side by side."""


class Compared(QObject):
    """Two to four features; a pinned one stays while others are opened beside it."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.features: tuple[int, ...] = ()
        self.pinned: frozenset[int] = frozenset()
        session.indexOpened.connect(self.clear)
        session.projectChanged.connect(self._on_project_changed)

    @classmethod
    def of(cls, session: Session) -> Compared:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    # ------------------------------------------------------------------ kept with the project
    def kept(self) -> dict[str, Any]:
        """Return which features stand side by side, and which are pinned, as plain data."""
        return {"features": list(self.features), "pinned": sorted(self.pinned)}

    def give(self, kept: dict[str, Any]) -> None:
        """Bring back what `kept` returned."""
        self._set(int(feature) for feature in kept["features"][:MOST])
        self.pinned = frozenset(kept["pinned"]) & frozenset(self.features)
        self.changed.emit()

    # ------------------------------------------------------------------ which
    def show(self, features: Iterable[int]) -> None:
        """Put these side by side, behind those that are pinned, and go there."""
        pinned = [feature for feature in self.features if feature in self.pinned]
        wanted = list(dict.fromkeys([*pinned, *(int(feature) for feature in features)]))
        if len(wanted) > MOST:
            self._session.notify(
                f"{MOST} features can stand side by side: the first {MOST} of "
                f"{exact_count(len(wanted))} are compared."
            )
        self._set(wanted[:MOST])
        self._session.show_workspace("explore.compare")

    def add(self, feature: int) -> None:
        """Put one more feature beside the others; the last that is not pinned makes room."""
        if feature in self.features:
            return
        if len(self.features) < MOST:
            self._set([*self.features, feature])
        else:
            self._replace_last(feature)

    def follow(self, feature: int) -> None:
        """Show the feature that was opened beside what is pinned, if anything is."""
        if not self.pinned or feature in self.features:
            return
        if set(self.features) == self.pinned and len(self.features) < MOST:
            self._set([*self.features, feature])
        else:
            self._replace_last(feature)

    def _replace_last(self, feature: int) -> None:
        loose = [other for other in self.features if other not in self.pinned]
        if not loose:
            self._session.notify(f"All {MOST} features are pinned. Unpin one to change it.")
            return
        self._set([feature if other == loose[-1] else other for other in self.features])

    def remove(self, feature: int) -> None:
        """Take a feature out of the comparison."""
        self._set([other for other in self.features if other != feature])

    def pin(self, feature: int, *, on: bool = True) -> None:
        """Keep a feature in its place while others change, or no longer."""
        if on and feature not in self.features:
            self.add(feature)
            if feature not in self.features:
                return
        self.pinned = self.pinned | {feature} if on else self.pinned - {feature}
        self.changed.emit()

    def clear(self, _index: object = None) -> None:
        """Compare nothing."""
        self._set([])

    def _on_project_changed(self) -> None:
        if self._session.index is None:
            self.clear()

    def _set(self, features: Iterable[int]) -> None:
        found = tuple(features)
        if found != self.features:
            self.features = found
            self.pinned &= frozenset(found)
            self.changed.emit()
