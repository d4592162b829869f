"""Deleting in the window: at once, undone with Ctrl+Z, and for good when the trash is emptied."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QUndoCommand
from PySide6.QtWidgets import QMessageBox, QWidget

from sae_desktop.deletion import (
    TrashItem,
    delete_item,
    deletion_question,
    empty_trash,
    restore_item,
    trash_items,
)
from sae_desktop.errors import UserError
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.storage.faults import format_bytes


class Trash:
    """What can be done with the trash of the open project."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._emptying = Background(session)
        self._emptying.answered.connect(self._on_emptied)
        self._emptying.refused.connect(self._on_refused)

    def ask_to_delete(self, kind: str, name: str, window: QWidget) -> None:
        """Say what deleting something takes, and do it if that is wanted."""
        session = self._session
        if session.project is None:
            return
        running = [job for job in session.client.jobs if not job.ended and job.writes]
        # One that waits for hours between what it writes holds up nothing but its own deletion.
        busy = [job for job in running if not job.waits or getattr(job.config, "name", "") == name]
        if busy:
            once = "is stopped" if busy[0].waits else "has finished"
            session.notify(f"You can delete it once this job {once}: {busy[0].title}.")
            return
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            f"Delete the {kind}",
            deletion_question(session.project, kind, name),
            QMessageBox.StandardButton.Cancel,
            window,
        )
        box.setTextFormat(Qt.TextFormat.PlainText)
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.setEscapeButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        delete.clicked.connect(lambda: self.delete(kind, name))
        box.open()

    def delete(self, kind: str, name: str) -> None:
        """Move something to the trash, as a step that can be undone."""
        session = self._session
        if session.project is None:
            return
        if self._is_open(kind, name):
            session.close_index()
        try:
            item = delete_item(session.project, kind, name)
        except UserError as error:
            session.show_error(error)
        else:
            session.undo_stack.push(_Deletion(session, session.project, item))
            session.notify(f"Moved the {item.title} to the trash. Undo (Ctrl+Z) restores it.")
        session.refresh()

    def _is_open(self, kind: str, name: str) -> bool:
        """Tell whether the open index goes along with something."""
        session = self._session
        if session.index is None:
            return False
        whole = session.inventory.set_of(session.index.info.dictionary)
        of_set = kind == "set" and whole is not None and whole.name == name
        return of_set or (kind == "index" and name == session.index_name)

    def ask_to_empty(self, window: QWidget) -> None:
        """Say what is in the trash, and delete it for good if that is wanted."""
        session = self._session
        if session.project is None:
            return
        items = trash_items(session.project)
        if not items:
            session.notify("The trash is empty.")
            return
        names = ", ".join(item.title for item in items[:6]) + (", …" if len(items) > 6 else "")
        freed = format_bytes(sum(item.bytes for item in items))
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            "Empty the trash",
            f"Delete permanently: {names}? This frees {freed} and cannot be undone.",
            QMessageBox.StandardButton.Cancel,
            window,
        )
        box.setTextFormat(Qt.TextFormat.PlainText)
        empty = box.addButton("Empty the trash", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        empty.clicked.connect(self.empty)
        box.open()

    def empty(self) -> None:
        """Delete for good what is in the trash, beside the window."""
        project = self._session.project
        if project is not None:
            self._emptying.run(str(project.path), lambda: empty_trash(project))

    def _on_emptied(self, answer: tuple[object, int]) -> None:
        self._session.notify(f"{format_bytes(answer[1])} were freed.")

    def _on_refused(self, answer: tuple[object, UserError]) -> None:
        self._session.show_error(answer[1])


class _Deletion(QUndoCommand):
    """A deletion that has happened."""

    def __init__(self, session: Session, project: Project, item: TrashItem) -> None:
        super().__init__(f"Delete the {item.title}")
        self._session, self._project = session, project
        self._item: TrashItem | None = item

    def undo(self) -> None:
        if self._item is None:
            return
        try:
            restore_item(self._project, self._item)
        except UserError as error:
            self._session.show_error(error)
        self._session.refresh()

    def _is_there(self, item: TrashItem) -> bool:
        return any(
            (found.kind, found.key) == (item.kind, item.key) for found in trash_items(self._project)
        )

    def redo(self) -> None:
        # Pushing a step does it; it is done already.
        if self._item is None or self._is_there(self._item):
            return
        try:
            self._item = delete_item(self._project, self._item.kind, self._item.name)
        except UserError as error:
            self._item = None
            self._session.show_error(error)
        self._session.refresh()
