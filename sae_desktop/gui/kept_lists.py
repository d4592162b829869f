"""The lists of features of the open dictionary: saved at each change, undone by Ctrl+Z."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand

from sae_desktop.errors import UserError
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.session import Session
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember


class KeptLists(QObject):
    """Named, ordered lists of features with remarks."""

    changed = Signal()
    """A list came, went or changed, or another dictionary's are here."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        FeatureNotes.of(session).reloaded.connect(self.changed)

    @classmethod
    def of(cls, session: Session) -> KeptLists:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    @property
    def dictionary(self) -> str:
        return FeatureNotes.of(self._session).dictionary

    def names(self) -> list[tuple[str, int]]:
        """Return (name, number of features), by name."""
        stored = self._session.notes
        return [] if stored is None else FeatureLists(stored).names(self.dictionary)

    def read(self, name: str) -> FeatureList | None:
        """Return a list, or None when there is none of this name."""
        stored = self._session.notes
        return None if stored is None else FeatureLists(stored).read(self.dictionary, name)

    def add(self, name: str, features: Iterable[int]) -> int | None:
        """Put features at the end of a list, made if need be; return how many are new on it.

        None when it could not be saved, which has been said.
        """
        before = self.read(name)
        kept = before or FeatureList(name=name)
        present = set(kept.features)
        new = [ListMember(feature=int(f)) for f in features if int(f) not in present]
        if new or before is None:
            members = [*kept.members, *new]
            self.replace(name, msgspec.structs.replace(kept, members=members), f"list “{name}”")
            if self.read(name) is None or self.read(name) == before:
                return None
        return len(new)

    def replace(self, name: str, content: FeatureList | None, text: str) -> None:
        """Put `content` in a list's place, None to take it away; an undoable step."""
        before = self.read(name)
        if before != content:
            self._session.undo_stack.push(_ChangeList(self, name, before, content, text))

    def write(self, dictionary: str, name: str, content: FeatureList | None) -> None:
        """Write a list to the project; what cannot be saved is said."""
        stored = self._session.notes
        if stored is None:
            return
        try:
            FeatureLists(stored).write(dictionary, name, content)
        except UserError as error:
            self._session.show_error(error)
        self.changed.emit()


class _ChangeList(QUndoCommand):
    def __init__(
        self,
        lists: KeptLists,
        name: str,
        before: FeatureList | None,
        after: FeatureList | None,
        text: str,
    ) -> None:
        super().__init__(text)
        self._lists, self._before, self._after = lists, before, after
        self._name = name
        self._dictionary = lists.dictionary

    def redo(self) -> None:
        self._lists.write(self._dictionary, self._name, self._after)

    def undo(self) -> None:
        name = self._after.name if self._after is not None else self._name
        self._lists.write(self._dictionary, name, self._before)
