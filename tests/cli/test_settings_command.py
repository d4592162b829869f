"""The page of settings tells what stands beside their types."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from cli_process import sae_desktop

from sae_desktop.cli.app import app
from sae_desktop.comparison.config import CompletenessConfig
from sae_desktop.described import setting, settings
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.features.config import IndexConfig
from sae_desktop.steering.config import Sampling, SteerConfig
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.words.settings_page import SettingRow, setting_rows, settings_page

PAGE = Path(__file__).parents[2] / "packaging" / "SETTINGS.md"
JOBS = [(kind.verb, config) for config, kind in JOB_KINDS.items() if settings(config)]


def test_page__is_that_of_the_configs() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(JOBS)


def test_rows__tell_bounds_choices_and_defaults() -> None:
    train = {row.field: row for row in setting_rows(TrainConfig)}
    assert train["k"][:4] == ("k", "k", "a whole number, at least 1", "32")
    assert train["threshold_decay"].values == "a number, at least 0 and less than 1"
    assert train["resample"][2:4] == ("yes or no", "no")
    assert train["init"].values == "auto, random, data"
    assert train["sparsity"].default == "not given"
    assert train["name"].default == ""
    index = {row.field: row for row in setting_rows(IndexConfig)}
    assert index["context_reach"][2:4] == ("a whole number, between 0 and 32,767", "1,024")


@pytest.mark.parametrize("config", [config for _, config in JOBS])
def test_rows__leave_no_word_out(config: type) -> None:
    for row in setting_rows(config):
        told = SettingRow(*row)
        assert told.title, told
        assert told.values, told
        assert told.meaning.endswith((".", "…")), told


def test_rows__of_a_config_within_another_are_told_with_it() -> None:
    steer = {row.field: row for row in setting_rows(SteerConfig)}
    assert next(iter(steer)) == "chat"
    assert steer["sampling.top_p"][1:4] == ("Top-p", "a number, more than 0 and at most 1", "1")
    assert steer["sampling.top_p"].meaning == setting(Sampling, "top_p").description


def test_help__of_a_setting_is_what_stands_beside_it() -> None:
    for command, config, fields in (
        (
            "steer",
            Sampling,
            ("max_new_tokens", "temperature", "top_k", "top_p", "repetition_penalty", "seed"),
        ),
        ("steer", SteerConfig, ("chat",)),
        ("evaluate", EvaluateConfig, ("rows", "loss_windows", "control", "control_seeds")),
        ("completeness", CompletenessConfig, ("least_f1", "least_occurrences", "control")),
        ("output-effect", OutputEffectConfig, ("count", "strength")),
    ):
        params = {p.name: p for p in typer.main.get_command(app).commands[command].params}
        for field in fields:
            assert params[field].help.startswith(setting(config, field).description), field


def test_command__shows_one_job_and_names_them_all_for_a_wrong_name() -> None:
    done = sae_desktop("settings", "train", "--json")
    assert list(done.result["settings"]) == ["Train"]
    fields = [row["field"] for row in done.result["settings"]["Train"]]
    assert fields == list(settings(TrainConfig))
    wrong = sae_desktop("settings", "trane")
    assert wrong.status == 1
    assert "Known jobs: Harvest" in wrong.stderr
