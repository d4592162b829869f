"""The concept sets of a project and those that ship, as a list; one that is damaged says so.

What was read of a file is remembered until it changes. Free of torch and Qt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.safety.concept_file import read_stated
from sae_desktop.safety.concept_set import ConceptSet, all_sets, checked, set_path
from sae_desktop.storage.stamp import Remembered


@dataclass(frozen=True)
class ListedSet:
    """A set, or why its file cannot be used."""

    name: str
    path: Path
    ships: bool
    found: ConceptSet | None
    warnings: tuple[str, ...]
    """What speaks against figures of it."""
    problem: str
    """Why it cannot be used, and what to do; empty: it can."""
    bytes: int
    modified: datetime

    @property
    def title(self) -> str:
        return self.found.title if self.found is not None else self.name


def listed_sets(project: Project | None) -> list[ListedSet]:
    """Return all sets: those of the project first, then those that ship, each by title."""
    listed = []
    for name in all_sets(project):
        try:
            path, ships = set_path(project, name)
            listed.append(_remembered(path, name, ships))
        except (UserError, OSError):  # it has just gone
            continue
    return sorted(listed, key=lambda one: (one.ships, one.title.casefold()))


def own_listed_sets(project: Project) -> list[ListedSet]:
    """Return the project's own sets alone."""
    return [one for one in listed_sets(project) if not one.ships]


def _read(path: Path, size: int, modified: datetime, name: str, ships: bool) -> ListedSet:
    found, problem = None, ""
    warnings: tuple[str, ...] = ()
    try:
        found = checked(name, read_stated(path), ships=ships)
        warnings = tuple(found.warnings())
    except UserError as error:
        problem = str(error)
    return ListedSet(name, path, ships, found, warnings, problem, size, modified)


_remembered = Remembered(_read)
