"""Commands on dictionaries and indexes: list, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.cli.trash_commands import YesOption, deleted
from sae_desktop.deletion import index_bytes
from sae_desktop.errors import UserError
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.project import Project
from sae_desktop.storage.faults import folder_bytes, format_bytes
from sae_desktop.training.origin_text import origin_text
from sae_desktop.training.run_folder import read_summary
from sae_desktop.words.ends_text import ends_text
from sae_desktop.words.unfinished_text import rows_so_far

dictionaries_app = typer.Typer(no_args_is_help=True, help="List or delete dictionaries.")
indexes_app = typer.Typer(no_args_is_help=True, help="List or delete indexes.")
_DictionaryName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the dictionary.")]
_IndexName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the index.")]


@dictionaries_app.command("list")
def list_dictionaries(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the dictionaries of a project, and runs that have not saved one yet."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        names = sorted({*opened.dictionaries(), *opened.runs()})
        return {"dictionaries": [_dictionary(opened, name) for name in names]}

    run_reading_command(work, _dictionaries_text, as_json=as_json)


@dictionaries_app.command("delete")
def delete_dictionary(
    project: ProjectArgument,
    name: _DictionaryName,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move a dictionary with its curves and checkpoints to the trash; its indexes stay."""
    _delete(project, "dictionary", name, yes, as_json)


@indexes_app.command("list")
def list_indexes(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the indexes of a project."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        return {"indexes": [_index(opened, name) for name in opened.indexes()]}

    run_reading_command(work, _indexes_text, as_json=as_json)


@indexes_app.command("delete")
def delete_index(
    project: ProjectArgument,
    name: _IndexName,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move an index to the trash; labels stay."""
    _delete(project, "index", name, yes, as_json)


def _delete(project: Path, kind: str, name: str, yes: bool, as_json: bool) -> None:
    run_reading_command(
        lambda: deleted(Project.open(project), kind, name, yes=yes),
        render.figures,
        as_json=as_json,
    )


def _dictionary(project: Project, name: str) -> dict[str, Any]:
    folder = project.dictionary_path(name)
    if name not in project.dictionaries():
        return {"name": name, "error": "a run that has not saved weights yet"}
    try:
        found = read_summary(folder)
    except UserError as error:
        return {"name": name, "error": error.what}
    return {
        "name": name,
        "architecture": found.architecture,
        "features": found.features,
        "width": found.width,
        "model": found.model,
        "site": found.site,
        "sites": ends_text(found.inputs, found.outputs),
        "bytes": folder_bytes(folder),
        "from": origin_text(found),
        "origin": None if found.origin is None else msgspec.to_builtins(found.origin),
    }


def _index(project: Project, name: str) -> dict[str, Any]:
    path = project.index_path(name)
    try:
        info = read_info(path)
    except UserError as error:
        return {"name": name, "error": error.what}
    return {
        "name": name,
        "dictionary": info.dictionary,
        "features": info.features,
        "rows": info.rows,
        "whole_rows": info.whole_rows or info.rows,
        "model": info.model,
        "site": info.site,
        "sites": ends_text(info.reads, info.outputs or info.reads),
        "bytes": index_bytes(path),
    }


def _dictionaries_text(result: dict[str, Any]) -> str:
    if not result["dictionaries"]:
        return "No dictionaries yet. Make one with sae-desktop train or sae-desktop import."
    rows = [
        (d["name"], d["error"], "–", "–", "", "")
        if "error" in d
        else (
            d["name"],
            d["architecture"],
            f"{d['features']:,}",
            format_bytes(d["bytes"]),
            f"{d['model']} {d['site']}".strip(),
            d["from"],
        )
        for d in result["dictionaries"]
    ]
    heads = ("dictionary", "architecture", "features", "size", "of", "from")
    return render.table(heads, rows, left={0, 1, 4, 5})


def _rows_text(rows: int, whole: int) -> str:
    return f"{rows:,}" if rows == whole else rows_so_far(rows, whole).removesuffix(" rows")


def _indexes_text(result: dict[str, Any]) -> str:
    if not result["indexes"]:
        return "No indexes yet. Make one with sae-desktop index."
    rows = [
        (i["name"], i["error"], "–", "–", "–")
        if "error" in i
        else (
            i["name"],
            i["dictionary"],
            f"{i['features']:,}",
            _rows_text(i["rows"], i["whole_rows"]),
            format_bytes(i["bytes"]),
        )
        for i in result["indexes"]
    ]
    heads = ("index", "dictionary", "features", "rows", "size")
    return render.table(heads, rows, left={0, 1})
