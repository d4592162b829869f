"""The command `score` with --judge: its options are the fields of the job's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sae_desktop.cli import COMMANDS, judge_options, score_command
from sae_desktop.features.reading.judgement import Judgement
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgeLabelsResult,
    ScorerResult,
)
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.selection import Selection


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    for module in (judge_options, score_command):
        monkeypatch.setattr(
            module, "run_job_command", lambda config, render, as_json: found.append(config)
        )
    return found


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(score_command.score)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_without_a_judge__labels_are_scored_by_their_words(asked: list[Any]) -> None:
    assert "score" in COMMANDS
    assert run("p", "--index", "i")[0] == 0
    assert [type(config) for config in asked] == [ScoreLabelsConfig]


def test_judge__is_the_model_and_all_else_as_the_config_has_it(
    asked: list[Any], tmp_path: Path
) -> None:
    assert run(str(tmp_path), "--index", "i", "--judge", "qwen3:4b")[0] == 0
    assert asked == [
        JudgeLabelsConfig(
            project=str(tmp_path), index="i", model=ModelChoice(model="qwen3:4b"),
            selection=Selection(), limits=QueueLimits(),
        )
    ]  # fmt: skip


def test_options__reach_model_limits_and_judging(asked: list[Any]) -> None:
    code, output = run(
        "p", "--index", "i", "--judge", "m", "--server", "http://localhost:1/v1", "--feature", "3",
        "--feature", "7", "--scorer", "rubric", "--scorer", "intruder", "--which", "all",
        "--judged-contexts", "2", "--baselines", "0", "--thinking", "2000", "--cap", "1.5",
        "--price-in", "2", "--at-once", "9", "--seed", "4", "--probabilities",
    )  # fmt: skip
    assert code == 0, output
    config = asked[0]
    assert config.model == ModelChoice(server="http://localhost:1/v1", model="m")
    assert config.selection.features == (3, 7)
    assert config.scorers == ("rubric", "intruder")
    assert (config.which, config.per_interval, config.baseline_features) == ("all", 2, 0)
    assert (config.thinking_tokens, config.probabilities, config.seed) == (2000, True, 4)
    assert config.limits == QueueLimits(at_once=9, price_in=2.0, most_cost=1.5)


def test_way_of_judging_that_there_is_not__is_refused(asked: list[Any]) -> None:
    code, output = run("p", "--index", "i", "--judge", "m", "--scorer", "vibes")
    assert code == 2
    assert "vibes" in output
    assert asked == []


def judgement(value: float | None) -> Judgement:
    return Judgement(
        value=value, low=None if value is None else value - 0.1,
        high=None if value is None else value + 0.1, chance=0.5, asked=72, answered=72,
        as_wrong=value, as_right=value,
    )  # fmt: skip


def test_table__says_what_the_judge_can_do_before_what_it_found() -> None:
    sound = ScorerResult(
        scorer="detection", test=judgement(0.9), verdict="sound", labels=20, passed=17, asked=900,
        unanswered=12, mean=0.41, low=0.3, high=0.52, shuffled=-0.02, top_token=0.2, random=0.01,
    )  # fmt: skip
    blind = ScorerResult(scorer="rubric", test=judgement(0.52), verdict="chance")
    result = JudgeLabelsResult(
        index="i", judge="qwen3-0.6b", small=True, features=20, labels=21,
        scorers=(sound, blind), requests=300, failed=2, cost=0.0, ended="cap",
    )  # fmt: skip
    text = judge_options.judged_table(result)
    assert "A model of a billion parameters or fewer cannot be relied on" in text
    assert "Rubric, on known texts" in text
    assert "gives no label a score" in text
    assert "0.41 (0.30–0.52)" in text
    assert "−0.02" in text
    assert "12 of 900 questions were not answered" in text
    assert "17 of 20 labels are above chance" in text
    assert "Published: 84% of the labels that Delphi made" in text
    assert "It ended at the spending cap." in text
    assert text.index("on known texts") < text.index("0.41")
