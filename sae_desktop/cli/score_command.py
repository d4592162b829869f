"""The command that scores labels without a language model that judges."""

from __future__ import annotations

from typing import Annotated

import typer

from sae_desktop.cli.config_options import option
from sae_desktop.cli.judge_options import or_judged
from sae_desktop.cli.options import DeviceOption, IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.features.reading.label_score import LabelScore
from sae_desktop.labels.scoring.config import ScoreLabelsConfig, ScoreLabelsResult
from sae_desktop.words.score_text import hover_text, part_rows, rival_rows, scored_lines

_NO_NUMBERS: list[int] = []
_SHOWN_WHOLE = 3
"""Features of which every figure is printed."""


@or_judged
def score(
    project: ProjectArgument,
    index: IndexOption,
    feature: Annotated[
        list[int],
        typer.Option(
            "--feature",
            min=0,
            help="Feature whose label is scored; may be repeated. Default: all with a label or a "
            "name.",
        ),
    ] = _NO_NUMBERS,
    label: Annotated[
        str,
        typer.Option(
            help="With --feature: try this label in place of the one it has; nothing is kept."
        ),
    ] = "",
    per_interval: Annotated[int, option(ScoreLabelsConfig, "per_interval")] = default(
        ScoreLabelsConfig, "per_interval"
    ),
    silent: Annotated[int, option(ScoreLabelsConfig, "silent")] = default(
        ScoreLabelsConfig, "silent"
    ),
    rows: Annotated[int, option(ScoreLabelsConfig, "rows")] = default(ScoreLabelsConfig, "rows"),
    meaning: Annotated[bool, option(ScoreLabelsConfig, "meaning", "--meaning/--no-meaning")] = (
        default(ScoreLabelsConfig, "meaning")
    ),
    new_texts: Annotated[int, option(ScoreLabelsConfig, "new_texts")] = default(
        ScoreLabelsConfig, "new_texts"
    ),
    log_probability: Annotated[
        bool,
        option(ScoreLabelsConfig, "log_probability", "--log-probability/--no-log-probability"),
    ] = default(ScoreLabelsConfig, "log_probability"),
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = default(
        ScoreLabelsConfig, "seed"
    ),
    device: DeviceOption = default(ScoreLabelsConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Score how far labels can be believed, on text they were not made from.

    Every score stands beside those of another feature’s label, of the most frequent token alone
    and of random directions, with intervals of 95%.
    """
    config = ScoreLabelsConfig(
        project=str(project), index=index, features=feature, label=label,
        per_interval=per_interval, silent=silent, rows=rows, meaning=meaning,
        new_texts=new_texts, log_probability=log_probability, seed=seed, device=device,
    )  # fmt: skip
    run_job_command(config, score_table, as_json=as_json)


def score_table(result: ScoreLabelsResult) -> str:
    """Return what scoring has brought, as tables in sentences."""
    lines = [*scored_lines(result), ""]
    lines.append("Mean detection AUROC (95% interval over features; 0.5 is chance):")
    lines.append(
        table(("of", "AUROC", "features"), rival_rows(result.rivals, result.random_of), left={0})
    )
    if len(result.scores) <= _SHOWN_WHOLE:
        lines += [part for one in result.scores for part in _whole(one)]
    return "\n".join(lines)


def _whole(score: LabelScore) -> list[str]:
    heads = ("texts", "label", "another’s", "top token", "number")
    rows = part_rows([*score.intervals, *score.silences])
    return ["", f"Feature {score.feature}: {hover_text(score)}", table(heads, rows, left={0})]
