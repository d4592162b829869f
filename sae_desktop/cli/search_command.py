"""Commands on search by meaning: embed, search."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import DeviceOption, IndexOption, JsonOption, ProjectArgument, bounds
from sae_desktop.cli.reading_commands import range_of
from sae_desktop.cli.runner import run_job_command, told
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.search.config import (
    By,
    EmbedLabelsConfig,
    SearchMeaningConfig,
    SearchMeaningResult,
)
from sae_desktop.project import Project, existing
from sae_desktop.project_lists import SavedFilters
from sae_desktop.project_notes import Notes
from sae_desktop.words.found_words import found_how, found_text

_NONE: list[str] = []
_SHOWN = 20


def embed(
    project: ProjectArgument,
    index: IndexOption,
    contexts: Annotated[
        int,
        typer.Option(
            "--contexts",
            **bounds(EmbedLabelsConfig, "contexts"),
            help="Strongest contexts that are read for each feature.",
        ),
    ] = default(EmbedLabelsConfig, "contexts"),
    encoder: Annotated[
        str, typer.Option("--encoder", help="minilm, or a folder with another sentence encoder.")
    ] = default(EmbedLabelsConfig, "encoder"),
    device: DeviceOption = default(EmbedLabelsConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Read the labels and contexts of an index, so that it can be searched by meaning.

    What was read before is kept: only what is new or has changed is read.
    """
    config = EmbedLabelsConfig(
        project=str(project), index=index, contexts=contexts, encoder=encoder, device=device
    )
    run_job_command(config, render.figures, as_json=as_json)


def search(
    project: ProjectArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the features are about.")],
    index: IndexOption,
    by: Annotated[
        By,
        typer.Option(
            "--by",
            help="meaning: by the sentence encoder; words: by the words in labels, names, notes, "
            "tokens and contexts; both: the two rankings together.",
        ),
    ] = default(SearchMeaningConfig, "by"),
    saved: Annotated[str, typer.Option("--filter", help="Only features of a saved filter.")] = "",
    where: Annotated[
        list[str],
        typer.Option("--where", help="A condition on a column, such as “density<0.01”."),
    ] = _NONE,
    language: Annotated[list[str], typer.Option(help="Language of most of its firings.")] = _NONE,
    source: Annotated[list[str], typer.Option(help="Source of most of its firings.")] = _NONE,
    member_of: Annotated[str, typer.Option("--list", help="A list the feature is in.")] = "",
    starred: Annotated[bool, typer.Option("--starred", help="Only starred features.")] = False,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Only features with a label.")
    ] = False,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", **bounds(SearchMeaningConfig, "limit"), help="Features to find at most."
        ),
    ] = _SHOWN,
    device: DeviceOption = default(SearchMeaningConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Find the features that are about something, such as “dates in French”."""
    if not text.strip():
        raise typer.BadParameter("There is nothing to search for.", param_hint="TEXT")
    try:
        conditions = _saved_filter(project, saved)
    except UserError as error:
        raise typer.BadParameter(f"{error.what} {error.next_step}", param_hint="--filter") from None
    conditions = msgspec.structs.replace(
        conditions,
        ranges=(*conditions.ranges, *(range_of(condition) for condition in where)),
        languages=tuple(language) or conditions.languages,
        sources=tuple(source) or conditions.sources,
        member_of=member_of or conditions.member_of,
        starred_only=starred or conditions.starred_only,
        labelled_only=labelled or conditions.labelled_only,
    )
    config = SearchMeaningConfig(
        project=str(project), index=index, text=text, by=by, conditions=conditions, limit=limit,
        device=device,
    )  # fmt: skip
    run_job_command(config, _table_of(config), as_json=as_json)


def _saved_filter(project: Path, name: str) -> FeatureFilter:
    """Return the conditions of a saved filter; none where no name is given. Raises UserError."""
    if not name:
        return FeatureFilter()
    path = Project.open(project).notes_path
    kept: dict[str, str] = {}
    if path.is_file():
        with closing(Notes(path)) as notes:
            kept = SavedFilters(notes).all()
    if name not in kept:
        there = ", ".join(kept) or "none yet"
        raise UserError(f"The project has no filter “{name}”.", next_step=f"Available: {there}.")
    return msgspec.json.decode(kept[name], type=FeatureFilter)


def _table_of(config: SearchMeaningConfig) -> Callable[[SearchMeaningResult], str]:
    def table(result: SearchMeaningResult) -> str:
        if not result.found:
            return "No feature was found."
        if result.newer:
            noun = "label is" if result.newer == 1 else "labels are"
            told(f"{result.newer:,} {noun} newer than the last “sae-desktop embed”.")
        opened = Project.open(config.project)
        path = opened.index_path(existing("index", config.index, opened.indexes()))
        index = FeatureIndex(path)
        rows = [(str(hit.feature), found_how(hit), found_text(index, hit)) for hit in result.found]
        return render.table(("feature", "found", "what was found"), rows, left={1, 2})

    return table
