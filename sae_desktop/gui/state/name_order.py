"""The order of the names of an index's features, found beside the window where they are many."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.background import Background
from sae_desktop.project_notes import Notes

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

AT_ONCE = 20_000
"""The order of the names of more features is found beside the window."""


class NameOrder(QObject):
    """Labels and automatic names, in one order."""

    found = Signal()
    """The order that was asked for is here."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._index: FeatureIndex | None = None
        self._order: Array | None = None
        self._work = Background(self)
        self._work.answered.connect(self._on_found)

    def forget(self) -> None:
        """Names have changed: the next question is answered anew."""
        self._order = None

    def of(self, index: FeatureIndex, stored: Notes | None, until_then: Array) -> Array:
        """Return the features with a name in its order; of very many `until_then` at first."""
        from sae_desktop.features.reading.shown_names import order_of_names

        if self._order is not None and index is self._index:
            return self._order
        self._index = index
        if index.features <= AT_ONCE or stored is None or stored.read_only:
            self._order = order_of_names(index, stored)
        else:
            self._order = until_then
            self._work.run(index, lambda: _beside(index, stored.path))
        return self._order

    def _on_found(self, answer: tuple[FeatureIndex, Array]) -> None:
        index, order = answer
        if index is self._index and self._order is not None:
            self._order = order
            self.found.emit()


def _beside(index: FeatureIndex, path: Path) -> Array:
    from sae_desktop.features.reading.shown_names import order_of_names

    with closing(Notes(path)) as notes:
        return np.asarray(order_of_names(index, notes))
