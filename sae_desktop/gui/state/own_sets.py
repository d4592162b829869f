"""The project's own concept sets, changed so that it can be undone. Free of widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QUndoCommand

from sae_desktop.deletion import SET_FILE
from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.project import Project, checked_name
from sae_desktop.safety.concept_file import ConceptFile, read_stated
from sae_desktop.safety.concept_set import checked, own_sets
from sae_desktop.safety.own_sets import keep_set, save_set
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

Kept = dict[Path, bytes]
"""The files of one set."""


class OwnSets:
    """Saves, takes in and deletes sets; a failure becomes a toast."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def names(self) -> list[str]:
        project = self._session.project
        return [] if project is None else sorted(own_sets(project))

    def save(self, name: str, file: ConceptFile, step: str = "change") -> bool:
        """Write a set that was checked; `step` is the verb of the undo step."""
        return self._write(name, lambda project: save_set(project, name, file), step)

    def bring(self, path: Path) -> str:
        """Check a file and copy it into the project; return the set’s name, empty: refused."""
        try:
            name = checked_name(path.stem)
            checked(name, read_stated(path), ships=False)
            if name in self.names():
                raise UserError(
                    f"The project has a concept set “{name}” already.",
                    kept="Nothing was changed.",
                    next_step="Give the file another name, or delete the set first.",
                )
        except UserError as error:
            self._session.show_error(error)
            return ""
        return name if self._write(name, lambda p: keep_set(p, name, path), "add") else ""

    def delete(self, name: str) -> None:
        """Move a set to the trash; that can be undone."""
        project = self._session.project
        if project is None or not self._may_write():
            return
        path = own_sets(project).get(name)
        if path is not None:
            Trash(self._session).delete(SET_FILE, path.name)

    def _may_write(self) -> bool:
        if self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
        return self._session.refusal is None

    def _write(self, name: str, write: Callable[[Project], object], step: str) -> bool:
        project = self._session.project
        if project is None or not self._may_write():
            return False
        before = _files(project, name)
        try:
            write(project)
        except UserError as error:
            self._session.show_error(error)
            return False
        text = f"{step} the concept set “{name}”"
        self._session.undo_stack.push(
            _ChangeSet(self._session, project, name, before, _files(project, name), text)
        )
        self._session.look_again()
        return True


def _files(project: Project, name: str) -> Kept:
    path = own_sets(project).get(name)
    return {} if path is None else {path: path.read_bytes()}


class _ChangeSet(QUndoCommand):
    """A change that has happened."""

    def __init__(
        self, session: Session, project: Project, name: str, before: Kept, after: Kept, text: str
    ) -> None:
        super().__init__(text)
        self._session, self._project, self._name = session, project, name
        self._before, self._after = before, after
        self._done = True

    def redo(self) -> None:
        if not self._done:
            self._put(self._after)
        self._done = False

    def undo(self) -> None:
        self._put(self._before)

    def _put(self, wanted: Kept) -> None:
        there = own_sets(self._project).get(self._name)
        try:
            for path, content in wanted.items():
                with explained(path):
                    path.parent.mkdir(exist_ok=True)
                    write_bytes(path, content)
            if there is not None and there not in wanted:
                with explained(there):
                    there.unlink()
        except UserError as error:
            self._session.show_error(error)
        self._session.refresh()
