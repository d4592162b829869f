"""Changes of what a person writes in a project, as data: to be written now, later, or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project_labels import Label
from sae_desktop.project_lists import FeatureList, FeatureLists, SavedFilters
from sae_desktop.project_note import LABEL, PARTS, FeatureNote, with_parts
from sae_desktop.project_notes import Notes
from sae_desktop.storage.atomic import write_bytes

LEFT_FILE = "notes-to-be-written.json"
"""Beside the notes: changes that could not be written before the program ended."""


class NoteChange(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """Some parts of what is written about one feature, and its labels beside the shown one."""

    dictionary: str
    note: FeatureNote
    parts: tuple[str, ...] = PARTS
    """The rest of the note stays as the file has it."""
    others: list[Label] = []
    """Labels that are not shown, to be written."""
    without: list[int] = []
    """Numbers of labels to be taken out."""
    who: str = ""
    steps: list[tuple[str, Label]] = []
    """(What became of it, label), for the history."""

    @property
    def title(self) -> str:
        return f"The label of feature {self.note.feature}"

    def apply(self, notes: Notes) -> None:
        with notes.writing(self.title):
            self.put(notes)

    def put(self, notes: Notes) -> None:
        """Do what `apply` does within the caller's transaction."""
        notes.change(
            self.dictionary,
            self.note,
            self.parts,
            others=self.others,
            without=self.without,
            who=self.who,
            steps=self.steps,
        )

    def is_of(self, dictionary: str, feature: int) -> bool:
        return (self.dictionary, self.note.feature) == (dictionary, feature)


class ManyChange(msgspec.Struct, frozen=True, kw_only=True, tag="many"):
    """What is written about many features, in one transaction."""

    changes: list[NoteChange]

    @property
    def title(self) -> str:
        return "The labels"

    def apply(self, notes: Notes) -> None:
        with notes.writing(self.title):
            for change in self.changes:
                change.put(notes)


class StarsChange(msgspec.Struct, frozen=True, kw_only=True, tag="stars"):
    """The stars of many features."""

    dictionary: str
    features: list[int]
    starred: bool

    @property
    def title(self) -> str:
        return "The stars"

    def apply(self, notes: Notes) -> None:
        notes.set_stars(self.dictionary, self.features, self.starred)


class ListChange(msgspec.Struct, frozen=True, kw_only=True, tag="list"):
    """A list of features; without content it is taken away."""

    dictionary: str
    name: str
    content: FeatureList | None = None

    @property
    def title(self) -> str:
        return f"The list “{self.name}”"

    def apply(self, notes: Notes) -> None:
        FeatureLists(notes).write(self.dictionary, self.name, self.content)


class FilterChange(msgspec.Struct, frozen=True, kw_only=True, tag="filter"):
    """A filter kept under a name; without conditions it is taken away."""

    name: str
    conditions: str | None = None

    @property
    def title(self) -> str:
        return f"The filter “{self.name}”"

    def apply(self, notes: Notes) -> None:
        SavedFilters(notes).write(self.name, self.conditions)


Change = NoteChange | ManyChange | StarsChange | ListChange | FilterChange


def each(changes: Iterable[Change]) -> list[Change]:
    """Return changes with those that are made together one by one."""
    return [
        one
        for change in changes
        for one in (change.changes if isinstance(change, ManyChange) else [change])
    ]


def note_after(changes: list[Change], dictionary: str, note: FeatureNote) -> FeatureNote:
    """Return what a note will be once the changes are written."""
    for change in changes:
        if isinstance(change, NoteChange):
            if change.is_of(dictionary, note.feature):
                note = with_parts(note, change.note, change.parts)
        elif isinstance(change, StarsChange) and (
            change.dictionary == dictionary and note.feature in change.features
        ):
            note = msgspec.structs.replace(note, starred=change.starred)
    return note


def labels_after(
    changes: list[Change], dictionary: str, feature: int, labels: list[Label]
) -> list[Label]:
    """Return all labels of a feature, the shown one first, once the changes are written."""
    for change in changes:
        if isinstance(change, NoteChange) and change.is_of(dictionary, feature):
            held = {label.number: label for label in labels}
            shown = next((label for label in labels if label.shown), None)
            if LABEL in change.parts:
                if shown is not None and shown.number == change.note.number:
                    del held[shown.number]
                elif shown is not None:
                    held[shown.number] = msgspec.structs.replace(shown, shown=False)
                shown = change.note.shown
                if shown is not None:
                    known = next((la for la in labels if la.number == shown.number), None)
                    evidence = known.evidence if known is not None else ""
                    held[shown.number] = msgspec.structs.replace(shown, evidence=evidence)
            held |= {label.number: label for label in change.others}
            held = {n: label for n, label in held.items() if n not in change.without}
            labels = sorted(held.values(), key=lambda label: (not label.shown, label.number))
    return labels


def lists_after(
    changes: list[Change], dictionary: str, lists: dict[str, FeatureList | None]
) -> dict[str, FeatureList | None]:
    """Return name → list once the changes are written; None: the list is taken away."""
    after = dict(lists)
    for change in changes:
        if isinstance(change, ListChange) and change.dictionary == dictionary:
            after[change.name] = None
            if change.content is not None:
                after[change.content.name] = change.content
    return after


def keep_for_later(notes_path: Path, changes: list[Change]) -> None:
    """Put changes in a file beside the notes. Raises UserError when that cannot be written."""
    write_bytes(notes_path.with_name(LEFT_FILE), msgspec.json.encode(changes))


def kept_for_later(notes_path: Path) -> list[Change]:
    """Return the changes an earlier window could not write; none where the file is not readable."""
    try:
        data = notes_path.with_name(LEFT_FILE).read_bytes()
        return msgspec.json.decode(data, type=list[Change])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return []


def forget_kept(notes_path: Path) -> None:
    """Remove the file of changes, once they are written."""
    notes_path.with_name(LEFT_FILE).unlink(missing_ok=True)


def is_busy(error: UserError) -> bool:
    """Whether a change was refused only because something else is writing the file."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
