"""The commands for the copies of a project's notes: list them, and put one back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError
from sae_desktop.notes_copies import NotesCopy, copies, put_back
from sae_desktop.project import Project
from sae_desktop.upkeep import writing

_TIME = "%Y-%m-%d %H:%M"
_NONE = "There is no copy of the notes yet: the window makes one each day as it opens the project."


def list_copies(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the copies of the project's labels and notes that were made on earlier days."""

    def work() -> dict[str, Any]:
        return {"copies": [_told(copy) for copy in copies(Project.open(project))]}

    run_reading_command(work, _rendered, as_json=as_json)


def put_copy_back(
    project: ProjectArgument,
    name: Annotated[
        str, typer.Argument(help="Name of the copy; without it the newest one of a day.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Put a copy in the place of the labels and notes, which are kept beside the copies."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        copy = _chosen(copies(opened), name)
        with writing(opened):
            put_back(opened, copy)
        return {"put_back": _told(copy)}

    run_reading_command(work, _put_back_rendered, as_json=as_json)


def _chosen(found: list[NotesCopy], name: str) -> NotesCopy:
    for copy in found:
        if copy.path.stem == name or (not name and not copy.replaced):
            return copy
    names = ", ".join(copy.path.stem for copy in found)
    raise UserError(
        f"There is no copy “{name}” of the notes." if name else _NONE,
        next_step=f"There are: {names}." if found else "",
    )


def _told(copy: NotesCopy) -> dict[str, Any]:
    return {
        "name": copy.path.stem,
        "made": f"{copy.when:{_TIME}}",
        "labels": copy.labels,
        "notes": copy.notes,
    }


def _rendered(told: dict[str, Any]) -> str:
    rows = [[str(value) for value in one.values()] for one in told["copies"]]
    return table(["Name", "Made", "Labels", "Notes"], rows, left={0, 1}) if rows else _NONE


def _put_back_rendered(told: dict[str, Any]) -> str:
    one = told["put_back"]
    return (
        f"The notes are again those of {one['made']}, with {one['labels']} labels. What was there "
        "is kept beside the copies."
    )
