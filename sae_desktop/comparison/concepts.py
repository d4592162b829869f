"""Lists of concepts: those that ship, and a project's own. Free of torch and Qt.

A list is a text file: one concept per line, its forms separated by bars, “#” before a comment. The
first form names it. A form in lower case is found with a capital first letter too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

MOST_CONCEPTS = 10_000
_BETWEEN = "|"
_REMARK = "#"


@dataclass(frozen=True)
class Concept:
    name: str
    forms: tuple[str, ...]
    """Ways to write it, at least one."""


def parse_concepts(text: str, name: str) -> list[Concept]:
    """Return the concepts of a list called `name`.

    Raises UserError for a list without any, or in which a form stands twice.
    """
    found: list[Concept] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        written = line.split(_REMARK)[0].split(_BETWEEN)
        forms = tuple(" ".join(form.split()) for form in written if form.strip())
        for form in forms:
            if form in line_of:
                raise UserError(
                    f"“{form}” appears twice in the list “{name}”: on line {line_of[form]} and on "
                    f"line {number}.",
                    next_step="Leave one of them out.",
                )
            line_of[form] = number
        if forms:
            found.append(Concept(forms[0], forms))
    if not found:
        raise UserError(
            f"The list “{name}” has no concepts.",
            next_step="Write one per line, with its forms separated by bars.",
        )
    if len(found) > MOST_CONCEPTS:
        raise UserError(
            f"The list “{name}” has {len(found):,} concepts; at most {MOST_CONCEPTS:,} are looked "
            "for at once.",
            next_step="Split it into several lists.",
        )
    return found


def shipped_lists() -> list[str]:
    """Return the names of the lists that ship."""
    return sorted(path.stem for path in resource_path("concepts").glob("*.txt"))


def all_lists(project: Project) -> list[str]:
    """Return the names of all lists, the project's own first."""
    own = project.concept_lists()
    return [*own, *(name for name in shipped_lists() if name not in own)]


def read_concepts(project: Project, name: str) -> list[Concept]:
    """Return a list of the project's, or one that ships. Raises UserError when there is none."""
    return parse_concepts(concepts_text(project, name), name)


def concepts_text(project: Project, name: str) -> str:
    """Return a list as it is written. Raises UserError when there is none of that name."""
    names = all_lists(project)
    if name not in names:
        raise UserError(
            f"There is no list of concepts “{name}”.", next_step=f"Available: {', '.join(names)}."
        )
    own = project.concepts_path(name)
    return read_list_file(own if own.is_file() else resource_path(f"concepts/{name}.txt"))


def read_list_file(path: Path) -> str:
    """Return the text of a list's file. Raises UserError when it is not text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"“{path.name}” cannot be read: {error}.", next_step="Use a text file in UTF-8."
        ) from error


def save_concepts(project: Project, name: str, text: str) -> list[Concept]:
    """Write a list of the project's own and return its concepts.

    Raises UserError for what is not a list, and for the name of one that ships.
    """
    path = project.concepts_path(name)
    if name in shipped_lists():
        raise UserError(
            f"A list “{name}” comes with the program.", next_step="Choose another name."
        )
    found = parse_concepts(text, name)
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, text.encode())
    return found
