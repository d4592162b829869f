"""Commands that only read a project's files, without torch: features, show."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.features.reader import FeatureIndex
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import FeatureNote, Notes

_DEFAULT_LIMIT = 50
_COLUMNS = ("id", "density", "max_activation", "mean_activation", "label")


def features(
    project: ProjectArgument,
    index: IndexOption,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help=f"{', '.join(_COLUMNS)}. Figures begin with the largest, id and label with the "
            "first; a leading - turns the order round.",
        ),
    ] = "max_activation",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, help=f"Features to list; else {_DEFAULT_LIMIT}, with --json all."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the features of an index."""
    column = sort.removeprefix("-")
    if column not in _COLUMNS:
        raise typer.BadParameter(
            f"“{column}” is none of {', '.join(_COLUMNS)}", param_hint="--sort"
        )
    count = limit if limit is not None or as_json else _DEFAULT_LIMIT

    def work() -> dict[str, Any]:
        opened, notes = _open(project, index)
        order = _order(opened, notes, column, turned=sort.startswith("-"))
        return {"features": [_feature(opened, notes, int(i)) for i in order[:count]]}

    total = functools.partial(_features_text, project, index)
    run_reading_command(work, total, as_json=as_json)


def show(
    project: ProjectArgument,
    index: IndexOption,
    feature: Annotated[int, typer.Option("--feature", min=0, help="Number of the feature.")],
    as_json: JsonOption = False,
) -> None:
    """Show one feature: figures, contexts, logits, neighbours."""

    def work() -> dict[str, Any]:
        opened, notes = _open(project, index)
        return feature_page(opened, notes, opened.check_feature(feature))

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
                "source": context.source,
                "language": context.language,
                "title": context.title,
            }
            for context in index.contexts(feature)
        ],
        "top_logits": _logits(index.top_logits(feature)),
        "bottom_logits": _logits(index.bottom_logits(feature)),
        "neighbours": [{"id": i, "cosine": cosine} for i, cosine in index.neighbours(feature)],
    }


def _open(project: Path, name: str) -> tuple[FeatureIndex, dict[int, FeatureNote]]:
    opened = Project.open(project)
    index = FeatureIndex(opened.index_path(existing("index", name, opened.indexes())))
    if not opened.notes_path.is_file():
        return index, {}
    notes = Notes(opened.notes_path)
    try:
        return index, notes.all(index.info.dictionary)
    finally:
        notes.close()


def _order(
    index: FeatureIndex, notes: dict[int, FeatureNote], column: str, *, turned: bool
) -> list[int]:
    ids = list(range(index.features))
    if column == "label":
        # Features without a label come last whichever way the labelled ones run.
        labelled = sorted((i for i in ids if _label(notes, i)), key=lambda i: _label(notes, i))
        rest = [i for i in ids if not _label(notes, i)]
        return [*(reversed(labelled) if turned else labelled), *rest]
    if column == "id":
        return ids[::-1] if turned else ids
    values = np.asarray(index.columns[column])
    order = np.argsort(values if turned else -values, kind="stable")
    return [int(i) for i in order]


def _label(notes: dict[int, FeatureNote], feature: int) -> str:
    note = notes.get(feature)
    return note.label if note is not None else ""


def _feature(index: FeatureIndex, notes: dict[int, FeatureNote], feature: int) -> dict[str, Any]:
    columns = {name: float(values[feature]) for name, values in index.columns.items()}
    return {"id": feature, **columns, "label": _label(notes, feature)}


def _logits(pairs: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"token": token, "value": value} for token, value in pairs]


def _features_text(project: Path, name: str, result: dict[str, Any]) -> str:
    total = FeatureIndex(Project.open(project).index_path(name)).features
    return render.feature_table(result, total=total)
