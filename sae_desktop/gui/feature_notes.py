"""Labels and stars of the open dictionary: read once, saved at each change, undone by Ctrl+Z."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand

from sae_desktop.errors import UserError
from sae_desktop.gui.session import Session
from sae_desktop.project_notes import FeatureNote


class FeatureNotes(QObject):
    """What a person wrote about the features of the session's dictionary."""

    noteChanged = Signal(int)
    """A feature's label or star changed."""
    reloaded = Signal()
    """Another dictionary's notes are here."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.dictionary = ""
        self._notes: dict[int, FeatureNote] = {}
        session.indexOpened.connect(self._on_index_opened)
        session.projectChanged.connect(self._on_project_changed)
        self._on_project_changed()

    @classmethod
    def of(cls, session: Session) -> FeatureNotes:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    # ------------------------------------------------------------------ reading
    def note(self, feature: int) -> FeatureNote:
        return self._notes.get(feature) or FeatureNote(feature=feature)

    def label(self, feature: int) -> str:
        return self.note(feature).label

    def starred(self, feature: int) -> bool:
        return self.note(feature).starred

    def labels(self) -> dict[int, str]:
        """Return feature → label for the features that have one."""
        return {f: note.label for f, note in self._notes.items() if note.label}

    def stars(self) -> set[int]:
        return {f for f, note in self._notes.items() if note.starred}

    def title(self, feature: int) -> str:
        """Return "#12 label", or "#12" without one."""
        label = self.label(feature)
        return f"#{feature} {label}" if label else f"#{feature}"

    # ------------------------------------------------------------------ writing
    def set_label(self, feature: int, label: str) -> None:
        """Label a feature; an undoable step."""
        before = self.note(feature)
        after = msgspec.structs.replace(before, label=" ".join(label.split()))
        self._push(before, after, f"label of feature {feature}")

    def set_starred(self, feature: int, starred: bool) -> None:
        """Star a feature or take its star away; an undoable step."""
        before = self.note(feature)
        after = msgspec.structs.replace(before, starred=starred)
        self._push(before, after, f"star of feature {feature}")

    def _push(self, before: FeatureNote, after: FeatureNote, text: str) -> None:
        if before != after:
            self._session.undo_stack.push(_ChangeNote(self, before, after, text))

    def save(self, dictionary: str, note: FeatureNote) -> None:
        """Write a note to the project; what cannot be saved is said and not shown as done."""
        if self._session.notes is None:
            return
        try:
            self._session.notes.save(dictionary, note)
        except UserError as error:
            self._session.show_error(error)
        else:
            if dictionary == self.dictionary:
                self._notes[note.feature] = note
        if dictionary == self.dictionary:
            self.noteChanged.emit(note.feature)

    # ------------------------------------------------------------------ the session
    def _on_index_opened(self, index: object) -> None:
        dictionary = self._session.index.info.dictionary if self._session.index else ""
        self._load(dictionary)

    def _on_project_changed(self) -> None:
        self._on_index_opened(self._session.index)

    def _load(self, dictionary: str) -> None:
        self.dictionary = dictionary
        notes = self._session.notes
        self._notes = notes.all(dictionary) if notes is not None and dictionary else {}
        self.reloaded.emit()


class _ChangeNote(QUndoCommand):
    def __init__(
        self, notes: FeatureNotes, before: FeatureNote, after: FeatureNote, text: str
    ) -> None:
        super().__init__(text)
        self._notes, self._before, self._after = notes, before, after
        self._dictionary = notes.dictionary

    def redo(self) -> None:
        self._notes.save(self._dictionary, self._after)

    def undo(self) -> None:
        self._notes.save(self._dictionary, self._before)
