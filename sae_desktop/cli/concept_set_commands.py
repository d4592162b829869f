"""Commands for concept sets: list, show, check, add, import."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError
from sae_desktop.language_names import language_name
from sae_desktop.project import Project, checked_name
from sae_desktop.safety.concept_file import Side, read_stated
from sae_desktop.safety.concept_set import (
    ConceptSet,
    all_sets,
    checked,
    read_set,
)
from sae_desktop.safety.own_sets import grow, keep_set
from sae_desktop.upkeep import writing

concept_sets_app = typer.Typer(
    no_args_is_help=True,
    help="Texts with something in common, with near misses: what a scan looks for.",
)
SetArgument = Annotated[str, typer.Argument(metavar="SET", help="Name of a concept set.")]


@concept_sets_app.command("list")
def list_sets(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the concept sets that ship and those of the project."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        listed = []
        for name in all_sets(opened):
            try:
                listed.append(_figures(read_set(opened, name)))
            except UserError as error:  # a set that is damaged does not hide the others
                listed.append({"name": name, "problem": str(error)})
        return {"sets": listed}

    run_reading_command(work, _list_text, as_json=as_json)


@concept_sets_app.command()
def show(
    project: ProjectArgument,
    name: SetArgument,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only texts that are scored on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a set is of, and all its texts."""

    def work() -> dict[str, Any]:
        found = read_set(Project.open(project), name)
        places = found.part(held_out=True if held_out else None)
        return {
            **_figures(found),
            "about": found.about,
            "texts": [found.texts[place]._asdict() for place in places],
        }

    run_reading_command(work, _set_text, as_json=as_json)


@concept_sets_app.command()
def check(
    project: ProjectArgument,
    name: SetArgument,
    as_json: JsonOption = False,
) -> None:
    """Say what a set holds and what speaks against figures of it; fail where it cannot be used."""

    def work() -> dict[str, Any]:
        return _figures(read_set(Project.open(project), name))

    run_reading_command(work, _checked_text, as_json=as_json)


@concept_sets_app.command()
def add(
    project: ProjectArgument,
    name: SetArgument,
    text: Annotated[
        list[str], typer.Option("--text", help="A text to add, a template of its own; repeatable.")
    ],
    positive: Annotated[
        bool | None,
        typer.Option("--positive/--negative", help="Which side it is of.", show_default=False),
    ] = None,
    language: Annotated[
        str,
        typer.Option(help="Code of its language, or a programming language. Default: the set’s."),
    ] = "",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Score on it; default: learn from it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add texts to the project’s own copy of a set."""
    if positive is None:
        raise typer.BadParameter("say on which side it is", param_hint="--positive/--negative")
    side: Side = "positive" if positive else "negative"

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        with writing(opened):
            found = grow(opened, name, text, side, language=language, held_out=held_out)
        return _figures(found)

    run_reading_command(work, _checked_text, as_json=as_json)


@concept_sets_app.command("import")
def import_set(
    project: ProjectArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A set as .toml, .jsonl or .csv.")],
    name: Annotated[str, typer.Option(help="Name of the set; default: the file’s name.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Check a set’s file and copy it into the project."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        called = checked_name(name or file.stem)
        found = checked(called, read_stated(file), ships=False)
        with writing(opened):
            keep_set(opened, called, file)
        return _figures(found)

    run_reading_command(work, _checked_text, as_json=as_json)


def _figures(found: ConceptSet) -> dict[str, Any]:
    sides = {
        side: {
            part: len(found.part(positive=positive, held_out=held_out, other=other))
            for part, held_out, other in (
                ("learnt_from", False, False),
                ("held_out", True, False),
                ("other_languages", True, True),
            )
        }
        for side, positive in (("positives", True), ("negatives", False))
    }
    return {
        "name": found.name,
        "title": found.title,
        "group": found.group,
        "ships": found.ships,
        "language": found.language,
        "languages": found.other_languages,
        **sides,
        "warnings": found.warnings(),
    }


def _list_text(result: dict[str, Any]) -> str:
    rows = []
    for item in result["sets"]:
        if "problem" in item:
            rows.append((item["name"], item["problem"], "", "", ""))
            continue
        counts = [
            f"{sum(item[side].values()):,} ({item[side]['held_out']:,})"
            for side in ("positives", "negatives")
        ]
        languages = ", ".join(map(language_name, [item["language"], *item["languages"]]))
        owner = "ships" if item["ships"] else "the project’s"
        rows.append((item["name"], item["title"], *counts, f"{languages} · {owner}"))
    heads = ("set", "", "positives (held out)", "negatives (held out)", "languages")
    return table(heads, rows, left={0, 1, 4})


def _checked_text(result: dict[str, Any]) -> str:
    lines = [f"{result['title']} ({result['name']})"]
    for side in ("positives", "negatives"):
        counts = result[side]
        lines.append(
            f"{side}: {counts['learnt_from']:,} to learn from, {counts['held_out']:,} held out, "
            f"{counts['other_languages']:,} in other languages"
        )
    return "\n".join([*lines, *result["warnings"]])


def _set_text(result: dict[str, Any]) -> str:
    counts = Counter(text["template"] for text in result["texts"])
    rows = [
        (
            "positive" if text["positive"] else "negative",
            language_name(text["language"]),
            "held out" if text["held_out"] else "learnt from",
            f"{text['template']} ({counts[text['template']]})",
            " ↵ ".join(text["text"].splitlines()),
        )
        for text in result["texts"]
    ]
    heads = ("side", "language", "part", "template (texts)", "text")
    listed = table(heads, rows, left={0, 1, 2, 4})
    return f"{_checked_text(result)}\n{result['about']}\n{listed}"
