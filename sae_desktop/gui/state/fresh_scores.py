"""Keeps scores of labels that have changed since out of the lists.

A score is of one label's text. Once another label is shown, the score stays in its file, but the
columns that lists sort and filter by have a dash in its place until the label is scored again.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QSignalBlocker, Signal

from sae_desktop.features.reading.noted import stale_scores
from sae_desktop.gui.state.background import Background
from sae_desktop.project_notes import Notes

if TYPE_CHECKING:  # the reader brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex
    from sae_desktop.gui.state.session import Session

Array = npt.NDArray[Any]

COLUMN = "label_score"


class ChangingNotes(Protocol):
    """What `FeatureNotes` is here."""

    dictionary: str
    noteChanged: Any
    reloaded: Any

    def label(self, feature: int) -> str: ...


class FreshScores(QObject):
    """Compares what was scored with what is shown, whenever one of the two changes."""

    columnMade = Signal(str)
    """The session's, except where it tells what was hidden here."""

    def __init__(self, session: Session, notes: ChangingNotes) -> None:
        super().__init__(session)
        self._session, self._notes = session, notes
        self._stale: set[int] = set()
        self._background = Background(self)
        self._background.answered.connect(self._on_compared)
        notes.noteChanged.connect(self._on_note_changed)
        notes.reloaded.connect(self.look)
        session.columnMade.connect(self.columnMade)
        self.columnMade.connect(self._on_column_made)

    def look(self) -> None:
        """Compare all labels, beside the window."""
        index, stored = self._session.index, self._session.notes
        self._stale = set()
        if index is None or index.scores is None:
            return
        path = None if stored is None else stored.path
        self._background.run(index.path, lambda: _compared(index, path))

    def _on_compared(self, answer: tuple[Path, Array]) -> None:
        path, stale = answer
        index = self._session.index
        if index is not None and index.path == path:
            self._stale = set(stale.tolist())
            self._hide()

    def _on_note_changed(self, feature: int) -> None:
        index = self._session.index
        if index is None or index.scores is None or index.scores.score(feature) is None:
            return
        label = self._notes.label(feature)
        names = index.short_names()
        shown = label or (names[feature] if feature < len(names) else "")
        self._stale.discard(feature)
        if not index.scores.is_of(feature, shown):
            self._stale.add(feature)
        self._hide()

    def _on_column_made(self, column: str) -> None:
        if column == COLUMN:
            self.look()

    def _hide(self) -> None:
        index = self._session.index
        if index is not None and index.hide_scores(np.asarray(sorted(self._stale), np.int64)):
            with QSignalBlocker(self):
                self._session.columnMade.emit(COLUMN)


def _compared(index: FeatureIndex, notes_path: Path | None) -> Array:
    """Return the features with a stale score, in a thread of its own: with its own notes."""
    if notes_path is None or not notes_path.is_file():
        return stale_scores(index, None)
    with closing(Notes(notes_path)) as notes:
        return stale_scores(index, notes)
