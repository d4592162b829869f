"""Labels and lists that come with a dictionary or an index, until they are in the notes.

They are in `.incoming/` from the moment on at which what they belong to is in its place; so a
process killed before they are written down loses none of them. Free of torch and Qt.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

import msgspec

from sae_desktop.project import Project
from sae_desktop.project_labels import Label
from sae_desktop.project_lists import FeatureList, FeatureLists
from sae_desktop.project_note import NOTE, PARTS
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.storage.atomic import write_bytes

INCOMING = ".incoming"


class IncomingNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What was written about the features of one dictionary."""

    dictionary: str
    notes: list[FeatureNote]
    lists: list[FeatureList] = []
    labels: list[Label] = []
    """Labels beside those shown in `notes`."""
    renames: dict[str, str] = {}
    """Dictionaries that have other names now: old → new. The notes are not theirs."""
    over_labels: bool = True
    """Whether the notes take the place of what is there; otherwise they are added to it."""


def write_incoming(path: Path, incoming: IncomingNotes) -> None:
    """Write them to a file that `incoming_path` will be the place of. Raises UserError."""
    write_bytes(path, msgspec.json.encode(incoming))


def incoming_path(project: Project, name: str) -> Path:
    """Return where the notes of a thing of this name wait."""
    return project.path / INCOMING / f"{name}.json"


def take_incoming(project: Project) -> None:
    """Write what waits into the notes, each file in one transaction. Raises UserError."""
    folder = project.path / INCOMING
    paths = sorted(folder.glob("*.json"))
    if not paths:
        return
    with closing(Notes(project.notes_path)) as notes:
        for path in paths:
            try:
                incoming = msgspec.json.decode(path.read_bytes(), type=IncomingNotes)
            except (ValueError, RecursionError):
                path.unlink()  # nothing of ours: it would stand in the way for ever
                continue
            _take(notes, incoming)
            path.unlink()
    with suppress(OSError):
        folder.rmdir()


def _take(notes: Notes, incoming: IncomingNotes) -> None:
    if incoming.renames:
        with notes.database:
            notes.rename_dictionaries(incoming.renames)
        return
    found: list[FeatureNote] = incoming.notes
    parts: tuple[str, ...] = PARTS
    if not incoming.over_labels:
        there = notes.notes(incoming.dictionary, (note.feature for note in found))
        found = [n for n in found if n.feature not in there or not there[n.feature].note]
        parts = (NOTE,)
    lists = FeatureLists(notes)
    with notes.database:
        notes.put_all(incoming.dictionary, found, parts)
        notes.add_within(incoming.dictionary, incoming.labels)
        for content in incoming.lists:
            lists.put(incoming.dictionary, content.name, content)
