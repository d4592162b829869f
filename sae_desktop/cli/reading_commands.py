"""Commands that only read a project's files, without torch: features, show."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.features.reading.categories import category_names
from sae_desktop.features.reading.columns import COLUMNS, FIRES_ON_RULE, column_info
from sae_desktop.features.reading.export import export_features
from sae_desktop.features.reading.facts import PictureContext, Share
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
from sae_desktop.features.reading.noted import NotedMarks, hide_stale_scores
from sae_desktop.features.reading.outputs import inputs_of, logits_at, neighbours_at, outputs_of
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.same_concept_text import same_concept_text
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.words.feature_words import feature_words
from sae_desktop.words.picture_words import place_words

_DEFAULT_LIMIT = 50
_NO_NAMES: list[str] = []
_NO_NUMBERS: list[int] = []
FiresOn = Literal["", "pictures", "text", "both"]
_SORTED_BY = (NUMBER, LABEL, STARRED, SCORE, *(c.name for c in COLUMNS))
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>|=)\s*(\S+)\s*")


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
        with opened_index(project, index) as (opened, notes):
            marks = NotedMarks(notes, opened.info.dictionary)
            falling = falls_first(column) != sort.startswith("-")
            found = matching(conditions, opened, marks)
            order = ordered(found, column, falling, opened, marks)
            if export is not None:
                export_features(export, opened, order, notes)
            shown = order[:count].tolist()
            written = notes.notes(opened.info.dictionary, shown) if notes else {}
            listed = [_feature(opened, written, i) for i in shown]
            if not as_json:  # which may be asked for a million of them
                for feature in listed:
                    feature["words"] = feature_words(opened, feature["id"]).line()
            return {"features": listed, "total": len(order)}

    run_reading_command(work, render.feature_table, as_json=as_json)


def range_of(condition: str) -> Range:
    """Return the bounds that “column<value” states. Raises BadParameter for any other form."""
    found = _CONDITION.fullmatch(condition)
    try:
        if found is None:
            raise ValueError
        column, sign, value = found[1], found[2], float(found[3])
    except ValueError:
        raise typer.BadParameter(
            f"“{condition}” is not a condition such as “density<0.01”", param_hint="--where"
        ) from None
    below, above = math.nextafter(value, -math.inf), math.nextafter(value, math.inf)
    bounds = {
        "<": (None, below),
        "<=": (None, value),
        ">": (above, None),
        ">=": (value, None),
        "=": (value, value),
    }
    return Range(column, *bounds[sign])


def show(
    project: ProjectArgument,
    index: IndexOption,
    feature: Annotated[int, typer.Option("--feature", min=0, help="Number of the feature.")],
    as_json: JsonOption = False,
) -> None:
    """Show one feature: figures, contexts, logits, neighbours."""

    def work() -> dict[str, Any]:
        with opened_index(project, index) as (opened, notes):
            opened.check_feature(feature)
            written = notes.notes(opened.info.dictionary, [feature]) if notes else {}
            return feature_page(opened, written, feature)

    run_reading_command(work, render.feature_page, as_json=as_json)


def feature_page(
    index: FeatureIndex, notes: dict[int, FeatureNote], feature: int
) -> dict[str, Any]:
    """Return all an index holds about a feature, as plain data."""
    edges, counts = index.histogram(feature)
    return {
        **_feature(index, notes, feature),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "contexts": [
            {
                "bucket": index.bucket_name(context.bucket),
                "tokens": context.tokens,
                "activations": context.activations.tolist(),
                "peak": context.peak,
                "read": list(context.read or (0, len(context.tokens))),
                "source": context.source,
                "language": context.language,
                "title": context.title,
                **_picture(context.picture),
            }
            for context in index.contexts(feature)
        ],
        "top_logits": _logits(index.top_logits(feature)),
        "bottom_logits": _logits(index.bottom_logits(feature)),
        "neighbours": [{"id": i, "cosine": cosine} for i, cosine in index.neighbours(feature)],
        "coactive": [
            {"id": c.feature, "pearson": c.pearson, "share": c.share}
            for c in index.coactive(feature)
        ],
        "languages": _shares(index.languages(feature)),
        "sources": _shares(index.sources(feature)),
        "firing_tokens": [
            {"token": t.token, "firings": t.firings, "activation": t.activation}
            for t in index.firing_tokens(feature)
        ],
        "neurons": [
            {"layer": n.layer, "neuron": n.neuron, "pearson": n.pearson}
            for n in index.neurons(feature)
        ],
        "one_concept": _one_concept(index, feature),
        **_sites(index, feature),
    }


def _one_concept(index: FeatureIndex, feature: int) -> dict[str, Any] | None:
    """Return whether a feature is one concept in words and pictures; None: not measured."""
    if index.kinds is None:
        return None
    found = index.kinds.score(feature)
    scores = {} if found is None else msgspec.to_builtins(found)
    return {**scores, "told": same_concept_text(index.kinds, feature)}


def _picture(picture: PictureContext | None) -> dict[str, Any]:
    """Return what a context of a picture has beside; nothing of a text’s."""
    if picture is None:
        return {}
    strongest = int(picture.activations.argmax())
    return {
        "picture": {
            "name": picture.name,
            "place": picture.place,
            "digest": picture.digest,
            "width": picture.layout.width,
            "height": picture.layout.height,
            "layout": msgspec.to_builtins(picture.layout),
            "activations": picture.activations.tolist(),
            "token": picture.token,
            "strongest": {
                "token": strongest,
                "activation": float(picture.activations[strongest]),
                "where": place_words(picture.layout, strongest),
            },
        }
    }


def _sites(index: FeatureIndex, feature: int) -> dict[str, Any]:
    """Return what a feature of several sites is at each of them; empty lists for another."""
    outputs, inputs = outputs_of(index, feature), inputs_of(index, feature)
    found: dict[str, Any] = {"outputs": [], "inputs": []}
    for fact in outputs:
        raised, lowered = logits_at(index, feature, fact.number)
        near = neighbours_at(index, feature, fact.number)
        found["outputs"].append(
            {
                "site": fact.end.site,
                "model": fact.model,
                "strength": fact.strength,
                "logit_spread": fact.logit_spread,
                "top_logits": _logits(raised),
                "bottom_logits": _logits(lowered),
                "neighbours": [{"id": i, "cosine": cosine} for i, cosine in near],
            }
        )
    found["inputs"] = [
        {"site": one.end.site, "model": one.model, "share": one.share} for one in inputs
    ]
    return found


@contextmanager
def opened_index(project: Path, name: str) -> Iterator[tuple[FeatureIndex, Notes | None]]:
    """Open an index of a project and its notes, where there are some."""
    opened = Project.open(project)
    index = FeatureIndex(opened.index_path(existing("index", name, opened.indexes())))
    notes = Notes(opened.notes_path) if opened.notes_path.is_file() else None
    try:
        hide_stale_scores(index, notes)
        yield index, notes
    finally:
        if notes is not None:
            notes.close()


def _feature(index: FeatureIndex, notes: dict[int, FeatureNote], feature: int) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, values in index.columns.items():
        value = float(values[feature])
        kind = column_info(name).kind
        if kind in ("category", "token", "count"):
            columns[name] = _named(index, name, int(value))
        else:
            columns[name] = value if math.isfinite(value) else None
    note = notes.get(feature) or FeatureNote(feature=feature)
    return {"id": feature, **columns, "label": note.label, "starred": note.starred}


def _named(index: FeatureIndex, name: str, number: int) -> str | int | None:
    if name == "token":
        return index.token(number) if number >= 0 else None
    names = category_names(index, name)
    if names is None:
        return number
    return names[number] if number >= 0 else None


def _logits(pairs: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"token": token, "value": value} for token, value in pairs]


def _shares(shares: list[Share]) -> list[dict[str, Any]]:
    return [
        {"name": s.name, "firings": s.firings, "tokens": s.tokens, "activation": s.activation}
        for s in shares
    ]
