"""Commands that only read a project's files, without torch: features, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError
from sae_desktop.features.reading import condition_text
from sae_desktop.features.reading.columns import COLUMNS, FIRES_ON_RULE
from sae_desktop.features.reading.export import export_features
from sae_desktop.features.reading.filter import (
    LABEL,
    NUMBER,
    SCORE,
    STARRED,
    FeatureFilter,
    NameKind,
    Range,
    falls_first,
    matching,
    ordered,
)
from sae_desktop.features.reading.noted import NotedMarks
from sae_desktop.features.reading.plain_data import feature_page, feature_row, opened_index
from sae_desktop.project import Project
from sae_desktop.words.feature_words import feature_words

_DEFAULT_LIMIT = 50
_NO_NAMES: list[str] = []
_NO_NUMBERS: list[int] = []
FiresOn = Literal["", "pictures", "text", "both"]
_SORTED_BY = (NUMBER, LABEL, STARRED, SCORE, *(c.name for c in COLUMNS))


def features(
    project: ProjectArgument,
    index: IndexOption,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help=f"id, {', '.join(_SORTED_BY[1:])}. Numbers are sorted from the largest, names "
            "alphabetically; a leading - reverses the order.",
        ),
    ] = "max_activation",
    where: Annotated[
        list[str],
        typer.Option("--where", help="A condition on a column, such as “density<0.01”."),
    ] = _NO_NAMES,
    text: Annotated[str, typer.Option(help="Words in the name or the note.")] = "",
    context: Annotated[str, typer.Option(help="Text near a token the feature fires on.")] = "",
    token: Annotated[str, typer.Option(help="A token the feature often fires on.")] = "",
    raises: Annotated[str, typer.Option(help="A token whose logit the feature raises.")] = "",
    language: Annotated[
        list[str], typer.Option(help="Language of most of its firings.")
    ] = _NO_NAMES,
    source: Annotated[list[str], typer.Option(help="Source of most of its firings.")] = _NO_NAMES,
    fires_on: Annotated[
        FiresOn,
        typer.Option(help=f"Mostly on pictures, mostly on text or on both: {FIRES_ON_RULE}."),
    ] = "",
    concept: Annotated[
        list[str], typer.Option(help="Concept that it tells best, of those concept-kinds measured.")
    ] = _NO_NAMES,
    cluster: Annotated[list[int], typer.Option(help="Cluster it is in.")] = _NO_NUMBERS,
    member_of: Annotated[str, typer.Option("--list", help="A list the feature is in.")] = "",
    alive: Annotated[bool, typer.Option("--alive", help="Only features that fire.")] = False,
    dead: Annotated[bool, typer.Option("--dead", help="Only features that never fire.")] = False,
    starred: Annotated[bool, typer.Option("--starred", help="Only starred features.")] = False,
    named: Annotated[
        NameKind,
        typer.Option(
            help="Only features that show a name of a person (mine), a model, an import or, "
            "without a label, an automatic one."
        ),
    ] = "",
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Only features with a label.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write all matching features to a .csv or .parquet file.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, help=f"Features to list; default: {_DEFAULT_LIMIT}, with --json all."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the features of an index that meet all conditions."""
    column = sort.removeprefix("-")
    column = NUMBER if column == "id" else column
    if column not in _SORTED_BY:
        raise typer.BadParameter(
            f"“{column}” is not one of id, {', '.join(_SORTED_BY[1:])}", param_hint="--sort"
        )
    conditions = FeatureFilter(
        text=text,
        context=context,
        token=token,
        raises=raises,
        ranges=tuple(range_of(condition) for condition in where),
        languages=tuple(language),
        sources=tuple(source),
        modalities=(fires_on,) if fires_on else (),
        concepts=tuple(concept),
        clusters=tuple(cluster),
        member_of=member_of,
        alive_only=alive,
        dead_only=dead,
        starred_only=starred,
        labelled_only=labelled,
        named=named,
    )
    count = limit if limit is not None or as_json else _DEFAULT_LIMIT

    def work() -> dict[str, Any]:
        with opened_index(Project.open(project), index) as (opened, notes):
            marks = NotedMarks(notes, opened.info.dictionary)
            falling = falls_first(column) != sort.startswith("-")
            found = matching(conditions, opened, marks)
            order = ordered(found, column, falling, opened, marks)
            if export is not None:
                export_features(export, opened, order, notes)
            shown = order[:count].tolist()
            written = notes.notes(opened.info.dictionary, shown) if notes else {}
            listed = [feature_row(opened, written, i) for i in shown]
            if not as_json:  # which may be asked for a million of them
                for feature in listed:
                    feature["words"] = feature_words(opened, feature["id"]).line()
            return {"features": listed, "total": len(order)}

    run_reading_command(work, render.feature_table, as_json=as_json)


def range_of(condition: str) -> Range:
    """Return the bounds that “column<value” states. Raises BadParameter for any other form."""
    try:
        return condition_text.range_of(condition)
    except UserError as error:
        raise typer.BadParameter(str(error), param_hint="--where") from None


def show(
    project: ProjectArgument,
    index: IndexOption,
    feature: Annotated[int, typer.Option("--feature", min=0, help="Number of the feature.")],
    as_json: JsonOption = False,
) -> None:
    """Show one feature: figures, contexts, logits, neighbours."""

    def work() -> dict[str, Any]:
        with opened_index(Project.open(project), index) as (opened, notes):
            opened.check_feature(feature)
            written = notes.notes(opened.info.dictionary, [feature]) if notes else {}
            return feature_page(opened, written, feature)

    run_reading_command(work, render.feature_page, as_json=as_json)
