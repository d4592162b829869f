"""The command that puts features side by side; it reads a project's files, without torch."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.features.reading.comparing import MOST, Comparison, compare_features
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import Notes
from sae_desktop.words.comparing_text import (
    COLUMNS,
    RANDOM_TITLE,
    alone_text,
    pair_cells,
    pair_sentence,
    pair_title,
    random_cells,
    random_text,
    source_text,
    token_row,
)
from sae_desktop.words.feature_words import feature_words


def compare(
    project: ProjectArgument,
    index: IndexOption,
    feature: Annotated[
        list[int],
        typer.Option(
            "--feature",
            min=0,
            help=f"Number of a feature; repeat it for up to {MOST}.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Compare features: cosines, how far they fire together, the tokens that tell them apart."""
    names: dict[int, str] = {}

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        read = FeatureIndex(opened.index_path(existing("index", index, opened.indexes())))
        found = compare_features(read, opened.dictionary_path(read.info.dictionary), feature)
        labels = _labels(opened, read.info.dictionary, [f.feature for f in found.features])
        for side in found.features:
            said = labels.get(side.feature) or feature_words(read, side.feature).line()
            names[side.feature] = said
        told: dict[str, Any] = msgspec.to_builtins(found)
        for side in told["features"]:
            side["label"] = labels.get(side["feature"], "")
        return told

    run_reading_command(work, lambda told: _text(told, names), as_json=as_json)


def _labels(project: Project, dictionary: str, features: list[int]) -> dict[int, str]:
    if not project.notes_path.is_file():
        return {}
    notes = Notes(project.notes_path)
    try:
        return {f: note.label for f, note in notes.notes(dictionary, features).items()}
    finally:
        notes.close()


def _text(told: dict[str, Any], names: dict[int, str]) -> str:
    found = msgspec.convert(told, Comparison)
    lines = []
    for side in found.features:
        lines.append(f"#{side.feature}  {names[side.feature]}")
        lines.append(f"    {alone_text(side.firings, side.alone)}")
        rows = [token_row(token, side.feature) for token in side.tokens]
        if rows:
            lines.append(f"    told by {', '.join(f'{name} {count}' for name, count, _ in rows)}")
    head = ("", *(title for title, _ in COLUMNS))
    cells = [(pair_title(pair), *pair_cells(pair)) for pair in found.pairs]
    cells.append((RANDOM_TITLE, *random_cells(found.random)))
    lines += ["", table(head, cells, left={0}), ""]
    lines += [pair_sentence(pair, found.random) for pair in found.pairs]
    lines += [random_text(found.random), source_text(found)]
    return "\n".join(lines)
