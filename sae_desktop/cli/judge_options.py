"""Options by which the command `score` lets a language model judge, in place of words alone."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.config_options import (
    Choice,
    keyword,
    own_parameters,
    parameter,
    with_signature,
)
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command, told
from sae_desktop.errors import UserError
from sae_desktop.features.reading.judgement import SCORERS
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgeLabelsResult,
    PreviewJudgingConfig,
)
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Selection
from sae_desktop.words.judge_text import result_lines, result_rows
from sae_desktop.words.queue_text import estimate_text

_PANEL = "With --judge"
_JUDGING = (
    Choice("which", panel=_PANEL),
    Choice("scorers", "--scorer", panel=_PANEL),
    Choice("per_interval", "--judged-contexts", panel=_PANEL),
    Choice("silent", "--judged-silent", panel=_PANEL),
    Choice("baseline_features", "--baselines", panel=_PANEL),
    Choice("probabilities", panel=_PANEL),
    Choice("thinking_tokens", "--thinking", panel=_PANEL),
)
_MODEL = (Choice("server", panel=_PANEL), Choice("seconds", "--answer-seconds", panel=_PANEL))
_LIMITS = tuple(
    Choice(name, "--cap" if name == "most_cost" else "", panel=_PANEL)
    for name in ("at_once", "requests_per_minute", "tokens_per_minute", "price_in", "price_out",
                 "most_cost")
)  # fmt: skip
_CONFIGS: dict[type[msgspec.Struct], tuple[Choice, ...]] = {
    JudgeLabelsConfig: _JUDGING,
    ModelChoice: _MODEL,
    QueueLimits: _LIMITS,
}


def or_judged(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that scores labels the options of judging them; it has `project`, `index`,
    `feature`, `seed` and `as_json` itself.
    """
    judge = keyword(
        "judge", "",
        Annotated[
            str,
            typer.Option(
                help="Let this model judge the labels: its name on the --server, or a model of "
                "this machine. It is tried on known texts first.",
                rich_help_panel=_PANEL,
            ),
        ],
    )  # fmt: skip
    named = {
        (config, choice.field): parameter(config, choice, f"judge_{choice.field}")
        for config, choices in _CONFIGS.items()
        for choice in choices
    }

    @functools.wraps(command)
    def run(**given: Any) -> None:
        settings = {key: given.pop(one.name) for key, one in named.items()}
        model = given.pop("judge")
        if not model:
            command(**given)
            return
        _judge(model, given, {key: value for key, value in settings.items() if value is not None})

    return with_signature(run, [*own_parameters(command), judge, *named.values()])


def _judge(
    model: str, given: dict[str, Any], settings: dict[tuple[type[msgspec.Struct], str], Any]
) -> None:
    def of(config: type[msgspec.Struct]) -> dict[str, Any]:
        return {field: value for (kind, field), value in settings.items() if kind is config}

    judging = of(JudgeLabelsConfig)
    scorers = judging.get("scorers") or ()
    if wrong := next((one for one in scorers if one not in SCORERS), None):
        raise typer.BadParameter(
            f"“{wrong}” is not one of {', '.join(SCORERS)}", param_hint="--scorer"
        )
    judging.pop("scorers", None)
    if scorers:
        judging["scorers"] = tuple(scorers)
    config = JudgeLabelsConfig(
        project=str(given["project"]),
        index=given["index"],
        model=ModelChoice(model=model, **of(ModelChoice)),
        selection=Selection(features=tuple(given["feature"])),
        limits=QueueLimits(**of(QueueLimits)),
        seed=given["seed"],
        **judging,
    )
    if not given["as_json"]:
        _tell_estimate(config)
    run_job_command(config, judged_table, as_json=given["as_json"])


def _tell_estimate(config: JudgeLabelsConfig) -> None:
    """Say what it will take, where that can be said; what keeps it from starting says the job."""
    from sae_desktop.labels.judging.preview import preview_judging

    with contextlib.suppress(UserError):
        preview = preview_judging(PreviewJudgingConfig(judge=config), SilentContext())
        told(estimate_text(preview.whole))


def judged_table(result: JudgeLabelsResult) -> str:
    """Return what a judge found, in sentences and as a table."""
    lines = result_lines(result)
    rows = result_rows(result)
    if rows:
        heads = ("judged by", "labels", "score over chance", "another’s", "top token",
                 "other feature", "random direction")  # fmt: skip
        lines += ["", table(heads, rows, left={0})]
    return "\n".join(lines)
