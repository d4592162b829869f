"""How far a page was read, kept with the project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QScrollArea

from sae_desktop.gui.state.session import Session


class _KeptScroll(QObject):
    """Scrolls a page to where it was as soon as it is laid out as high as it was."""

    def __init__(self, page: QScrollArea, shown: Callable[[], object]) -> None:
        super().__init__(page)
        self.setObjectName(f"{page.objectName()}.scroll")
        self._bar, self._shown = page.verticalScrollBar(), shown
        self._wanted: dict[str, Any] | None = None
        self._bar.rangeChanged.connect(self._on_range_changed)
        self._bar.sliderPressed.connect(self._forget)

    def keep(self) -> dict[str, Any]:
        if self._wanted is not None and self._wanted["of"] == self._shown():
            return self._wanted
        return {"of": self._shown(), "at": self._bar.value()}

    def give(self, kept: dict[str, Any]) -> None:
        if kept["of"] == self._shown() and kept["at"] > 0:
            self._wanted = {"of": kept["of"], "at": int(kept["at"])}
            self._on_range_changed(0, self._bar.maximum())

    def _on_range_changed(self, _low: int, high: int) -> None:
        if self._wanted is None or high < self._wanted["at"]:
            return
        if self._wanted["of"] == self._shown():
            self._bar.setValue(self._wanted["at"])
        self._wanted = None

    def _forget(self) -> None:
        self._wanted = None


def keep_scroll(session: Session, page: QScrollArea, shown: Callable[[], object]) -> None:
    """Keep how far a page of the open index is scrolled; `shown` is what is on the page."""
    kept = _KeptScroll(page, shown)
    session.place.add(kept, kept.keep, kept.give, of_index=True)
