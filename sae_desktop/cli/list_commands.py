"""The command for a project's lists of features."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project, existing
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import Notes

_NONE: list[int] = []


def lists(
    project: ProjectArgument,
    index: IndexOption,
    name: Annotated[str, typer.Option("--list", help="The list to show, add to or delete.")] = "",
    add: Annotated[
        list[int],
        typer.Option(
            min=0, help="A feature to append; the list is made if there is none. May be repeated."
        ),
    ] = _NONE,
    about: Annotated[str | None, typer.Option(help="What the list is about.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the list.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the lists of features of an index's dictionary; make one, add to it or delete it."""
    if (add or about is not None or delete) and not name:
        raise typer.BadParameter("name the list with --list")
    if delete and (add or about is not None):
        raise typer.BadParameter(
            ("a list can be changed or deleted, not both"), param_hint="--delete"
        )

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        found = FeatureIndex(opened.index_path(existing("index", index, opened.indexes())))
        for feature in add:
            found.check_feature(feature)
        dictionary = found.info.dictionary
        with closing(Notes(opened.notes_path)) as notes:
            kept = FeatureLists(notes)
            if delete:
                _existing(kept, dictionary, name)
                kept.write(dictionary, name, None)
                return {"deleted": name}
            if add or about is not None:
                before = kept.read(dictionary, name) or FeatureList(name=name)
                kept.write(dictionary, name, _changed(before, add, about))
            if name:
                return _told(_existing(kept, dictionary, name), notes, dictionary)
            return {
                "lists": [{"name": n, "features": count} for n, count in kept.names(dictionary)]
            }

    run_reading_command(work, _text, as_json=as_json)


def _existing(kept: FeatureLists, dictionary: str, name: str) -> FeatureList:
    found = kept.read(dictionary, name)
    if found is None:
        names = ", ".join(n for n, _ in kept.names(dictionary)) or "none yet"
        raise UserError(f"There is no list “{name}”.", next_step=f"Available: {names}.")
    return found


def _changed(before: FeatureList, add: list[int], about: str | None) -> FeatureList:
    there = set(before.features)
    new = [ListMember(feature=f) for f in dict.fromkeys(add) if f not in there]
    return msgspec.structs.replace(
        before,
        members=[*before.members, *new],
        annotation=before.annotation if about is None else about,
    )


def _told(kept: FeatureList, notes: Notes, dictionary: str) -> dict[str, Any]:
    written = notes.notes(dictionary, kept.features)
    return {
        "name": kept.name,
        "about": kept.annotation,
        "features": [
            {
                "id": member.feature,
                "label": note.label if (note := written.get(member.feature)) else "",
                "remark": member.annotation,
            }
            for member in kept.members
        ],
    }


def _text(result: dict[str, Any]) -> str:
    if "deleted" in result:
        return f"The list “{result['deleted']}” was deleted."
    if "lists" in result:
        rows = [(item["name"], f"{item['features']:,}") for item in result["lists"]]
        return table(("list", "features"), rows, left={0})
    members = [(str(f["id"]), f["label"], f["remark"]) for f in result["features"]]
    head = table(("feature", "label", "remark"), members, left={1, 2})
    return f"{result['about']}\n{head}" if result["about"] else head
