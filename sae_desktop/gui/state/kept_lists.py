"""The lists of features of the open dictionary: saved at each change, undone by Ctrl+Z."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand

from sae_desktop.errors import UserError
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_changes import ListChange, lists_after
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
        stored, to_come = self._session.notes, self._session.notes_to_come()
        counts = {} if stored is None else dict(FeatureLists(stored).names(self.dictionary))
        for name, content in lists_after(to_come, self.dictionary, {}).items():
            counts.pop(name, None)
            if content is not None:
                counts[name] = len(content.members)
        return sorted(counts.items(), key=lambda item: item[0].lower())

    def read(self, name: str, dictionary: str | None = None) -> FeatureList | None:
        """Return a list, of the open dictionary unless another is named; None without one."""
        dictionary = self.dictionary if dictionary is None else dictionary
        stored, to_come = self._session.notes, self._session.notes_to_come()
        found = None if stored is None else FeatureLists(stored).read(dictionary, name)
        return lists_after(to_come, dictionary, {name: found})[name]

    def add(self, name: str, features: Iterable[int], dictionary: str | None = None) -> int | None:
        """Put features at the end of a list, made if need be; return how many are new on it.

        None when it could not be saved, which has been said.
        """
        before = self.read(name, dictionary)
        kept = before or FeatureList(name=name)
        present = set(kept.features)
        new = [ListMember(feature=int(f)) for f in features if int(f) not in present]
        if new or before is None:
            members = [*kept.members, *new]
            content = msgspec.structs.replace(kept, members=members)
            if not self.replace(name, content, f"list “{name}”", dictionary):
                return None
        return len(new)

    def replace(
        self,
        name: str,
        content: FeatureList | None,
        text: str,
        dictionary: str | None = None,
    ) -> bool:
        """Put `content` in a list's place, None to take it away; an undoable step.

        False when it could not be done, which has been said.
        """
        dictionary = self.dictionary if dictionary is None else dictionary
        before = self.read(name, dictionary)
        if before == content:
            return True
        if not self._session.may_write_notes():
            self.changed.emit()
            return False
        if content is not None and content.name != name and self.read(content.name, dictionary):
            self._session.show_error(
                UserError(
                    f"A list named “{content.name}” already exists.",
                    next_step="Choose another name.",
                )
            )
            return False
        step = _ChangeList(self, dictionary, name, before, content, text)
        self._session.undo_stack.push(step)
        return True

    def write(self, dictionary: str, name: str, content: FeatureList | None) -> None:
        """Have a list written to the project."""
        self._session.write_notes(ListChange(dictionary=dictionary, name=name, content=content))
        self.changed.emit()


class _ChangeList(QUndoCommand):
    def __init__(
        self,
        lists: KeptLists,
        dictionary: str,
        name: str,
        before: FeatureList | None,
        after: FeatureList | None,
        text: str,
    ) -> None:
        super().__init__(text)
        self._lists, self._before, self._after = lists, before, after
        self._name = name
        self._dictionary = dictionary

    def redo(self) -> None:
        self._lists.write(self._dictionary, self._name, self._after)

    def undo(self) -> None:
        name = self._after.name if self._after is not None else self._name
        self._lists.write(self._dictionary, name, self._before)
