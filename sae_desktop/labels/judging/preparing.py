"""How a judge is to be asked, and whether there is anything to ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.judging.chosen import ChosenLabel
from sae_desktop.labels.judging.config import JudgeLabelsConfig
from sae_desktop.labels.judging.prompts import judge_prompt
from sae_desktop.labels.judging.question import Asking


def require_labels(labels: Sequence[ChosenLabel], config: JudgeLabelsConfig) -> None:
    """Raise UserError where there is no label to judge, or no way of judging is chosen."""
    if not config.scorers:
        raise UserError("No way of judging is chosen.", next_step="Choose at least one.")
    if not labels:
        raise UserError(
            "None of the selected features has a label to judge.",
            kept="Nothing was asked.",
            next_step="Name the features first, or select others.",
        )


def askings(project: Path, config: JudgeLabelsConfig) -> dict[Scorer, Asking]:
    """Return how the questions of each way of judging are put."""
    return {
        scorer: Asking(
            judge_prompt(project, scorer, probabilities=config.probabilities),
            probabilities=config.probabilities and scorer in ("detection", "fuzzing"),
            thinking=config.thinking_tokens,
        )
        for scorer in dict.fromkeys(config.scorers)
    }
