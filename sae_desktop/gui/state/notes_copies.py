"""Putting the notes of an earlier day back, in the project that is open or in one that is not."""

from __future__ import annotations

from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session
from sae_desktop.notes_copies import NotesCopy, put_back
from sae_desktop.project import Project
from sae_desktop.upkeep import writing


def told(copy: NotesCopy) -> str:
    """Return a copy in words, such as “30 November, 09:12: 312 labels, 4 notes”."""
    when = f"{copy.when.day} {copy.when:%B, %H:%M}"
    labels = f"{copy.labels:,} {'label' if copy.labels == 1 else 'labels'}"
    notes = f"{copy.notes:,} {'note' if copy.notes == 1 else 'notes'}"
    replaced = " (until a copy took its place)" if copy.replaced else ""
    return f"{when}: {labels}, {notes}{replaced}"


def put_back_in_open(session: Session, copy: NotesCopy) -> bool:
    """Put a copy in the place of the open project's notes; return whether that was done.

    The engine holds the project's lock; the project is closed for a moment and opened again.
    """
    project = session.project
    if project is None or session.read_only:
        return False
    running = session.running_jobs()
    if running:
        session.notify(f"You can put a copy back once this job has ended: {running[0].title}.")
        return False
    session.close_project()
    try:
        put_back(project, copy)
    except UserError as error:
        session.show_error(error)
        return False
    finally:
        session.open_project(project.path)
    session.notify(f"The notes are again those of {told(copy)}.")
    return True


def put_back_and_open(session: Session, project: Project, copy: NotesCopy) -> None:
    """Put a copy in the place of notes that cannot be read, and open their project."""
    try:
        with writing(project):
            put_back(project, copy)
    except UserError as error:
        session.show_error(error)
        return
    session.open_project(project.path)
