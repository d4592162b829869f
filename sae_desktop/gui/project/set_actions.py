"""What the buttons of a set’s card do."""

from __future__ import annotations

import msgspec
from PySide6.QtWidgets import QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.forms.set_forms import ExportSetForm, RenameSetForm
from sae_desktop.gui.forms.steps import do_step
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.words.set_words import newest_index


class SetActions:
    """Does what is asked of a set of the project, by its name."""

    def __init__(self, session: Session, panel: QWidget) -> None:
        self._session, self._panel = session, panel
        self._renaming = Background(panel)
        self._renaming.answered.connect(self._on_renamed)
        self._renaming.refused.connect(self._on_refused)

    def do(self, name: str, action: str) -> bool:
        """Do one of the actions of a card; false: it is none that only sets have."""
        session = self._session
        if action == "index_set":
            do_step(session, "index_set", name, self._panel)
        elif action == "resume_set":
            self._resume(name)
        elif action == "explore_set":
            self._explore(name)
        elif action == "trace":
            session.show_workspace("circuits")
            session.traceRequested.emit(name)
        elif action == "export_set":
            ExportSetForm(session, name).present(self._panel)
        elif action == "rename_set":
            RenameSetForm(session, name, self.rename).present(self._panel)
        else:
            return False
        return True

    def _explore(self, name: str) -> None:
        """Show the open layer of a set, else the first that has an index."""
        session = self._session
        found = session.inventory.set_named(name)
        if found is None or not found.indexed:
            return
        opened = session.index.info.dictionary if session.index is not None else ""
        member = next((m for m in found.indexed if m.name == opened), found.indexed[0])
        target = session.index_name if member.name == opened else newest_index(member)
        do_step(session, "explore", target, self._panel)

    def _resume(self, name: str) -> None:
        session, found = self._session, self._session.inventory.set_named(name)
        if found is not None and found.train is not None:
            # The project may have been moved since; the set is resumed where it lies now.
            path = session.project_path
            session.run(msgspec.structs.replace(found.train, project=path, name=found.name))
            session.show_workspace("train")

    def rename(self, name: str, new: str) -> None:
        """Call a set by another name, beside the window: its indexes are copied for that."""
        session, project = self._session, self._session.project
        if project is None:
            return
        busy = [job.title for job in session.client.jobs if not job.ended and job.writes]
        if busy:
            session.notify(f"You can rename it once {busy[0]} has finished.")
            return
        index = session.index
        found = session.inventory.set_of(index.info.dictionary) if index is not None else None
        opened = session.index_name if found is not None and found.name == name else ""
        if opened:
            session.close_index()
        from sae_desktop.set_rename import rename_set  # h5py: not before the first show

        self._renaming.run((name, new, opened), lambda: rename_set(project, name, new))

    def _on_renamed(self, answer: tuple[tuple[str, str, str], object]) -> None:
        (name, new, opened), session = answer[0], self._session
        session.look_again()
        session.notesChanged.emit()
        session.notify(f"The set “{name}” is now called “{new}”.")
        again = f"{new}.{opened.rpartition('.')[2]}"
        if opened and session.index is None:
            session.open_index(again if session.has_index(again) else opened)

    def _on_refused(self, answer: tuple[tuple[str, str, str], UserError]) -> None:
        (_, _, opened), error = answer
        self._session.look_again()
        self._session.show_error(error)
        if opened and self._session.index is None:
            self._session.open_index(opened)
