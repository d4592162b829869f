"""A monitor under another name, in the window: asked for, done, and undone with Ctrl+Z."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand

from sae_desktop.errors import UserError
from sae_desktop.gui.forms.job_forms import JobForm
from sae_desktop.gui.state.session import Session

Rename = Callable[[str, str], bool]


class RenameMonitorForm(JobForm):
    """Asks for another name."""

    def __init__(
        self,
        session: Session,
        name: str,
        taken: list[str],
        rename: Callable[[str, str], object],
    ) -> None:
        super().__init__(
            session,
            f"Rename “{name}”",
            "Its hits, and the presets, sliders and watches that name it, go along.",
            "Rename the monitor",
        )
        self._name, self._rename = name, rename
        self.name = self.add_name(name, [other for other in taken if other != name])
        self.name.selectAll()

    def accept(self) -> None:
        if self.name.text() != self._name:
            self._rename(self._name, self.name.text())
        super().accept()


class MonitorNaming:
    """Renames monitors of the open project, as steps that can be undone."""

    def __init__(self, session: Session, follow: Callable[[str, str], object]) -> None:
        """`follow` is called after each renaming, with the old and the new name."""
        self._session, self._follow = session, follow

    def rename(self, name: str, new: str) -> None:
        """Call a monitor by another name, as a step; an error becomes a toast."""
        if self.call(name, new):
            self._session.undo_stack.push(_Renaming(self.call, name, new))

    def call(self, name: str, new: str) -> bool:
        """Call a monitor by another name; false where that was refused."""
        from sae_desktop.safety.monitors.rename import rename_monitor, renamed  # numpy

        session = self._session
        if session.project is None:
            return False
        busy = [job.title for job in session.client.jobs if not job.ended and job.writes]
        if busy:
            session.notify(f"You can rename it once {busy[0]} has finished.")
            return False
        if session.refusal is not None:
            session.show_error(session.refusal)
            return False
        try:
            rename_monitor(session.project, name, new)
        except UserError as error:
            session.show_error(error)
            return False
        session.place.change(lambda kept: dict(renamed(kept, name, new)))
        self._follow(name, new)
        session.look_again()
        return True


class _Renaming(QUndoCommand):
    """A renaming that has happened."""

    def __init__(self, call: Rename, name: str, new: str) -> None:
        super().__init__(f"Rename the monitor “{name}”")
        self._call, self._name, self._new = call, name, new
        self._done = True

    def undo(self) -> None:
        self._done = not self._call(self._new, self._name)

    def redo(self) -> None:
        if not self._done:  # pushing a step does it; it is done already
            self._done = self._call(self._name, self._new)
