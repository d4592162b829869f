"""The commands about what the program keeps outside of projects: its size, and clearing it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.caches.clearing import clear as clear_kept
from sae_desktop.caches.clearing import cleared_text, question, refuse_in_use
from sae_desktop.caches.sizes import Size, measured
from sae_desktop.caches.table import Kept, kept_things
from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.cli.trash_commands import YesOption, confirm
from sae_desktop.errors import UserError

caches_app = typer.Typer(
    invoke_without_command=True,
    help="What the program keeps outside of projects: its sizes, and clearing it.",
)


@caches_app.callback()
def list_caches(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what the program keeps outside of projects, with sizes; “clear” clears one of it."""
    if context.invoked_subcommand is None:
        run_reading_command(_listed, _list_text, as_json=as_json)


@caches_app.command("clear")
def clear(
    name: Annotated[str, typer.Argument(help="Name in the list, such as models.")],
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Clear one thing that can be made or fetched again. Projects are not touched."""

    def work() -> dict[str, Any]:
        kept = _named(name)
        refuse_in_use(kept)
        size = measured(kept.parts) or Size()
        if size.files:
            confirm(question(kept, size), f"“{kept.title}” was not cleared.", yes)
            refuse_in_use(kept)  # the answer may have taken its time
        freed = clear_kept(kept)
        return {
            "name": name,
            "freed_bytes": freed.bytes,
            "deleted_files": freed.files,
            "told": f"{cleared_text(kept, freed)} {kept.back}",
        }

    run_reading_command(work, lambda result: str(result["told"]), as_json=as_json)


def _named(name: str) -> Kept:
    things = kept_things()
    for kept in things:
        if kept.id == name:
            return kept
    raise UserError(
        f"The program keeps nothing that is called “{name}”.",
        kept="Nothing was cleared.",
        next_step=f"There are: {', '.join(kept.id for kept in things)}.",
    )


def _listed() -> dict[str, Any]:
    return {"caches": [_told(kept) for kept in kept_things()]}


def _told(kept: Kept) -> dict[str, Any]:
    size = measured(kept.parts) or Size()
    return {
        "name": kept.id,
        "title": kept.title,
        "path": str(kept.place()),
        "what": kept.sentence,
        "can_be_cleared": not kept.stays,
        "bytes": size.bytes,
        "files": size.files,
        "shared_bytes": size.shared,
        "unreadable": size.unreadable,
        "size": size.text,
    }


def _list_text(result: dict[str, Any]) -> str:
    rows = [
        (
            one["name"],
            one["size"],
            "yes" if one["can_be_cleared"] else "no",
            one["path"],
        )
        for one in result["caches"]
    ]
    parts = [table(["Name", "Size", "Clear", "Folder"], rows, left={0, 2, 3})]
    parts += [f"{one['name']}: {one['what']}" for one in result["caches"]]
    parts += [
        f"“{one['unreadable']}” may not be read, so what is in it is not counted."
        for one in result["caches"]
        if one["unreadable"]
    ]
    return "\n".join(parts)
