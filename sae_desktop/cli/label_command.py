"""The command that names the features of an index."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sae_desktop.cli.explain_options import or_explained
from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.features.config import NameFeaturesConfig, NameFeaturesResult
from sae_desktop.words.name_text import named_lines

_SHOWN = 12
"""Names printed as examples, of features evenly spread."""


class Method(StrEnum):
    """How features are named."""

    statistics = "statistics"
    model = "model"


@or_explained
def label(
    project: ProjectArgument,
    index: IndexOption,
    method: Annotated[
        Method,
        typer.Option(
            help="statistics: from the text alone, without a language model; model: by a language "
            "model that reads contexts, of a server or of this machine."
        ),
    ] = Method.statistics,
    as_json: JsonOption = False,
) -> None:
    """Name features of an index: every one by statistics, or those selected by a model.

    Neither takes the place of a label that a person has given.
    """
    config = NameFeaturesConfig(project=str(project), index=index)

    def render(result: NameFeaturesResult) -> str:
        return "\n".join([*named_lines(result), "", _examples(str(project), index)])

    run_job_command(config, render, as_json=as_json)


def _examples(project: str, index: str) -> str:
    from sae_desktop.features.reading.reader import FeatureIndex
    from sae_desktop.project import Project

    read = FeatureIndex(Project.open(project).index_path(index))
    rows = []
    for place in range(_SHOWN):
        feature = place * read.features // _SHOWN
        name = read.name(feature)
        if name is not None:
            score = "–" if name.score != name.score else f"{name.score:.2f}"
            rows.append((str(feature), score, name.short))
    return table(("feature", "score", "name"), dict.fromkeys(rows), left={2})
