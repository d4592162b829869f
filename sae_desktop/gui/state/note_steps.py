"""Changes of notes as steps that can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt
from PySide6.QtGui import QUndoCommand

from sae_desktop.project_changes import NoteChange


class Saving(Protocol):
    """What writes changes of notes: `FeatureNotes`."""

    dictionary: str

    def save(self, change: NoteChange) -> None: ...
    def save_many(self, changes: list[NoteChange]) -> None: ...
    def save_stars(self, dictionary: str, features: npt.NDArray[Any], starred: bool) -> None: ...


class ChangeNote(QUndoCommand):
    """A change of one feature's note or labels, and the change that takes it back."""

    def __init__(self, notes: Saving, change: NoteChange, back: NoteChange, text: str) -> None:
        super().__init__(text)
        self._notes, self._change, self._back = notes, change, back

    def redo(self) -> None:
        self._notes.save(self._change)

    def undo(self) -> None:
        self._notes.save(self._back)


class ChangeMany(QUndoCommand):
    """What is written about many features at once."""

    def __init__(
        self, notes: Saving, pairs: Sequence[tuple[NoteChange, NoteChange]], text: str
    ) -> None:
        super().__init__(text)
        self._notes = notes
        self._changes = [change for change, _ in pairs]
        self._back = [back for _, back in pairs]

    def redo(self) -> None:
        self._notes.save_many(self._changes)

    def undo(self) -> None:
        self._notes.save_many(self._back)


class ChangeStars(QUndoCommand):
    """The stars of many features."""

    def __init__(self, notes: Saving, features: npt.NDArray[Any], starred: bool) -> None:
        super().__init__(f"stars of {len(features):,} features")
        self._notes, self._features, self._starred = notes, features, starred
        self._dictionary = notes.dictionary

    def redo(self) -> None:
        self._notes.save_stars(self._dictionary, self._features, self._starred)

    def undo(self) -> None:
        self._notes.save_stars(self._dictionary, self._features, not self._starred)
