"""The notes of the open project: read at once, written beside the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.notes_writer import NotesWriter
from sae_desktop.project_changes import Change, each
from sae_desktop.project_notes import Notes


class OpenNotes(QObject):
    """Holds the notes and their writer while a project is open."""

    delayed = Signal(bool)
    """Something else keeps the file busy, and changes wait; false: they are written."""
    changedElsewhere = Signal()
    refused = Signal(object)
    """(Change, UserError or ErrorInfo): a change that was not taken."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._notes: Notes | None = None
        self._writer: NotesWriter | None = None

    @property
    def writable(self) -> bool:
        return self._writer is not None

    def open(self, notes: Notes) -> None:
        """Take over the notes of a project."""
        self._notes = notes
        if notes.read_only:
            return
        self._writer = NotesWriter(notes.path)
        self._writer.refused.connect(self.refused)
        self._writer.delayed.connect(self.delayed)
        self._writer.changedElsewhere.connect(self.changedElsewhere)

    def close(self) -> None:
        """Write what is still to be written, and let go of the file."""
        if self._writer is not None:
            self._writer.finish()
        if self._notes is not None:
            self._notes.close()
        self._notes = self._writer = None

    def read(self) -> Notes | None:
        """Return the notes for reading; what was just written is in them."""
        if self._writer is not None:
            self._writer.settle()
        return self._notes

    def waiting(self) -> list[Change]:
        """Return the changes that are not on the disk yet, oldest first."""
        return each(self._writer.waiting()) if self._writer is not None else []

    def write(self, change: Change) -> None:
        """Have a change written, beside the window."""
        if self._writer is not None:
            self._writer.write(change)
