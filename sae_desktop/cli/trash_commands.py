"""The commands about what was deleted: the trash of a project."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.deletion import (
    TrashItem,
    delete_item,
    deletion_question,
    empty_trash,
    restore_item,
    trash_items,
)
from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.storage.faults import format_bytes
from sae_desktop.upkeep import writing

trash_app = typer.Typer(
    no_args_is_help=True,
    help="What was deleted from a project: list it, restore it, or delete it for good.",
)


class Deletable(StrEnum):
    """What can be deleted."""

    STORE = "store"
    DICTIONARY = "dictionary"
    SET = "set"
    INDEX = "index"
    SWEEP = "sweep"
    COMPARISON = "comparison"
    WATCH = "watch"
    CALIBRATION = "calibration"
    SCAN = "scan"
    LENS = "lens"
    MONITOR = "monitor"
    BENCHMARK = "benchmark"


YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
_NameArgument = Annotated[str, typer.Argument(help="Name of the item.")]


def delete(
    project: ProjectArgument,
    kind: Annotated[Deletable, typer.Argument(help="What kind of item it is.")],
    name: _NameArgument,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move something of a project to the trash, such as a store, a dictionary or an index."""
    run_reading_command(
        lambda: deleted(Project.open(project), kind.value, name, yes=yes),
        render.figures,
        as_json=as_json,
    )


def deleted(project: Project, kind: str, name: str, *, yes: bool) -> dict[str, Any]:
    """Ask, delete, and return what was done. Raises UserError."""
    there = {
        "store": project.stores,
        "dictionary": lambda: sorted({*project.dictionaries(), *project.runs()}),
        "set": lambda: sorted({*project.sets(), *project.set_runs()}),
        "index": project.indexes,
        "sweep": project.sweeps,
        "comparison": project.changes,
        "watch": project.watches,
        "calibration": project.calibrations,
        "scan": project.scans,
        "lens": project.lenses,
        "monitor": project.monitors,
        "benchmark": project.benchmarks,
    }
    existing("activation store" if kind == "store" else kind, name, there[kind]())
    confirm(deletion_question(project, kind, name), f"The {kind} “{name}” was not deleted.", yes)
    with writing(project):
        item = delete_item(project, kind, name)
        size = next(i.bytes for i in trash_items(project) if i.key == item.key)
    return {"name": name, "trash_bytes": size, "free_them_with": "sae-desktop trash empty"}


def confirm(question: str, otherwise: str, yes: bool) -> None:
    """Ask unless `yes`. Raises UserError if the answer is no or nobody can be asked."""
    try:
        agreed = yes or typer.confirm(question, err=True)
    except typer.Abort:
        raise UserError(
            otherwise,
            kept="Nothing was changed.",
            next_step="Add --yes to do it without confirmation.",
        ) from None
    if not agreed:
        raise UserError(otherwise, kept="Nothing was changed.")


@trash_app.command("list")
def list_trash(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List what is in the trash, with its size."""

    def work() -> dict[str, Any]:
        items = trash_items(Project.open(project))
        return {
            "items": [
                {"kind": i.kind, "name": i.name, "deleted": i.deleted.isoformat(), "bytes": i.bytes}
                for i in items
            ],
            "bytes": sum(item.bytes for item in items),
        }

    run_reading_command(work, _listed, as_json=as_json)


def _listed(result: dict[str, Any]) -> str:
    if not result["items"]:
        return "The trash is empty."
    lines = [
        f"{i['kind']:10}  {i['name']}  {format_bytes(i['bytes'])}  {i['deleted'][:10]}"
        for i in result["items"]
    ]
    return "\n".join([*lines, f"{format_bytes(result['bytes'])} in all"])


@trash_app.command("restore")
def restore(
    project: ProjectArgument,
    kind: Annotated[Deletable, typer.Argument(help="What kind of item it is.")],
    name: _NameArgument,
    as_json: JsonOption = False,
) -> None:
    """Restore what was last deleted under a name."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        found: TrashItem | None = next(
            (i for i in trash_items(opened) if (i.kind, i.name) == (kind.value, name)), None
        )
        if found is None:
            raise UserError(
                f"There is no {kind.value} “{name}” in the trash.",
                next_step="See what is there with sae-desktop trash list.",
            )
        with writing(opened):
            restore_item(opened, found)
        return {"kind": kind.value, "name": name, "restored_bytes": found.bytes}

    run_reading_command(work, render.figures, as_json=as_json)


@trash_app.command("empty")
def empty(project: ProjectArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Delete for good what is in the trash."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        items = trash_items(opened)
        size = sum(item.bytes for item in items)
        if items:
            what = f"{len(items)} items" if len(items) > 1 else f"The {items[0].title}"
            confirm(
                f"{what}, {format_bytes(size)}: delete for good?", "The trash was not emptied.", yes
            )
        with writing(opened):
            return {"deleted": len(items), "freed_bytes": empty_trash(opened)}

    run_reading_command(work, render.figures, as_json=as_json)
