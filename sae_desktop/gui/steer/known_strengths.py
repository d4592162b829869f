"""At which strengths features work: from the open index, or measured while one looks at them."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.steering.effect_config import FeatureStrengthConfig, FeatureStrengthResult

UNKNOWN = 1.0
"""Where a slider begins as long as nothing is known of its feature."""
_WITHIN = 0.85
"""Of the largest strength that leaves a text whole, where no strength turns it."""


def first_strength(known: KnownStrength | None) -> float:
    """Return where a feature's slider begins: at the strength that works, if there is one."""
    if known is None:
        return UNKNOWN
    if known.suggested is not None:
        return known.suggested
    return float(f"{_WITHIN * known.high:.2g}") or UNKNOWN


class KnownStrengths(QObject):
    """Answers at once where the index tells; else asks the engine, one feature after another."""

    found = Signal(int)
    """The feature of which something is known now, or of which nothing can be found out."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._measured: dict[int, KnownStrength] = {}
        self._waiting: list[int] = []
        self._latest = LatestJob(session, 0, self)
        self._latest.answered.connect(self._on_answered)
        self._latest.failed.connect(self._on_failed)
        session.indexOpened.connect(self._on_index_changed)

    def of(self, feature: int) -> KnownStrength | None:
        """Return what is known of a feature of the open index."""
        index = self._session.index
        known = None if index is None else index.strength(feature)
        return known or self._measured.get(feature)

    def asking(self, feature: int) -> bool:
        """Return whether it is being measured, or will be."""
        return feature in self._waiting

    def ask(self, feature: int) -> None:
        """Have a feature measured of which nothing is known."""
        index = self._session.index
        if index is None or self.of(feature) is not None or feature in self._waiting:
            return
        if not index.info.model or float(index.columns["max_activation"][feature]) <= 0:
            return
        self._waiting.append(feature)
        if len(self._waiting) == 1:
            self._ask()

    def _ask(self) -> None:
        session = self._session
        self._latest.ask(
            FeatureStrengthConfig(
                project=session.project_path, index=session.index_name, feature=self._waiting[0]
            )
        )

    def _on_answered(self, result: FeatureStrengthResult) -> None:
        if result.index == self._session.index_name:
            self._measured[result.feature] = result.known
        self._go_on()

    def _on_failed(self, _error: object) -> None:
        self._go_on()  # steering itself says what is wrong with the model

    def _go_on(self) -> None:
        if not self._waiting:
            return
        feature = self._waiting.pop(0)
        self.found.emit(feature)
        if self._waiting:
            self._ask()

    def _on_index_changed(self, _index: object = None) -> None:
        self._latest.forget()
        self._measured.clear()
        self._waiting.clear()
