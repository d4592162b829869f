"""After every kind of job there is one thing to do next, or a reason why none is offered."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import typer

from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.cli.app import app
from sae_desktop.comparison.config import MatchConfig, MatchedPair, MatchResult
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    ExportResult,
    ImportLabelsConfig,
    ImportLabelsResult,
    ImportPackageConfig,
)
from sae_desktop.features.config import IndexConfig, IndexResult
from sae_desktop.language_model.config import GetModelConfig, GetModelResult
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.sweeps.sweep_config import SweepConfig, SweepResult
from sae_desktop.words.after_jobs import BUTTONS, NO_STEP, AfterJob, after, has_step

HARVESTED = HarvestResult(
    name="acts", site="s", rows=500_000, width=8, windows=1, documents=1, bytes=1, seconds=1.0,
    tokens_per_second=1.0,
)  # fmt: skip


def test_every_job_that_changes_something__has_a_next_step_or_says_why_none() -> None:
    shown = [c for c, kind in JOB_KINDS.items() if kind.writes or kind.elsewhere or not kind.quiet]
    assert len(shown) > 15
    for config in shown:
        reason = NO_STEP.get(config, "")
        assert has_step(config) != bool(reason), config
        assert not reason or reason.endswith(".")


def test_harvested__is_trained_on() -> None:
    step = after(HarvestConfig(project="my project.saeproj", name="acts"), HARVESTED)
    assert step == AfterJob(
        "“acts” is harvested: 500k rows.", "train", "acts", "my project.saeproj"
    )
    assert step.button == "Train a dictionary…"
    assert step.command == "train 'my project.saeproj' --activations acts --name NAME"


@pytest.mark.parametrize(("stopped", "how"), [(True, "stopped early and kept"), (False, "trained")])
def test_trained__is_indexed(stopped: bool, how: str) -> None:
    result = SimpleNamespace(name="d", stopped_early=stopped, fvu=0.1234, l0=32.04)
    step = after(TrainConfig(project="p", name="d", activations="a", features=8), result)
    assert step is not None
    assert step.done == f"“d” was {how}: FVU 0.123 on held-out rows, L0 32.0."
    assert (step.action, step.target) == ("index", "d")
    assert step.command == "index p --dictionary d --name NAME"


def test_indexed__is_explored() -> None:
    result = IndexResult(name="i", features=2048, rows=1, alive=1, bytes=1, seconds=1.0)
    step = after(IndexConfig(project="p", dictionary="d", name="i"), result)
    assert step is not None
    assert (step.done, step.action, step.target) == (
        "“i” is indexed: 2,048 features.", "explore", "i",
    )  # fmt: skip


def test_sweep__says_what_failed() -> None:
    base = TrainConfig(project="p", name="s", activations="a", features=8)
    config = SweepConfig(project="p", name="s", base=base)
    made = after(config, SweepResult(
        name="s", rows=[], done=1, failed=1, waiting=1, seconds=1.0
    ))  # fmt: skip
    assert made is not None
    assert made.done == "The sweep “s” is done: 1 run trained, 1 failed, 1 not started."
    assert made.command == "scaling p --sweep s"


def test_matched_labelled_got_and_exported__lead_on() -> None:
    pair = MatchedPair(
        smaller="a",
        larger="b",
        unmatched_smaller=0,
        unmatched_larger=0,
        mean_cosine=1.0,
        kept=False,
    )
    matched = after(MatchConfig(project="p"), MatchResult(pairs=[pair], seconds=1.0))
    assert matched is not None
    assert (matched.action, matched.target) == ("splitting", "a")
    labels = ImportLabelsResult(labels=1, new=1, scores=0, stars=0, notes=0, listed=0)
    labelled = after(ImportLabelsConfig(project="p", index="i", file="f"), labels)
    assert labelled is not None
    assert (labelled.done, labelled.target) == ("1 label is imported.", "i")
    model = GetModelResult(name="smollm2", path="x", source="y", bytes=270_000_000, sha256="z")
    got = after(GetModelConfig(name="smollm2"), model)
    assert got is not None
    assert got.done == "SmolLM2-135M-Instruct is on this machine (270 MB)."
    assert (got.action, got.target) == ("harvest", "smollm2")
    export = ExportDictionaryConfig(project="p", dictionary="d", path="/x/d.zip", format="saelens")
    done = after(export, ExportResult(path="/x/d.zip", files=1, bytes=3_000))
    assert done is not None
    assert (done.action, done.target, done.command) == ("reveal", "/x/d.zip", "")


@pytest.mark.parametrize(("index", "action"), [("i", "explore"), ("", "index")])
def test_package__with_an_index_is_explored_at_once(index: str, action: str) -> None:
    result = SimpleNamespace(name="d", features=8, labels=0, index=index)
    step = after(ImportPackageConfig(project="p", file="f"), result)
    assert step is not None
    assert (step.action, step.target) == (action, index or "d")


def test_commands__are_those_of_the_program_and_buttons_are_told() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    told = 0
    for action, button in BUTTONS.items():
        assert button[0].isupper()
        words = AfterJob("", action, "x", "p").command.split()
        if not words:
            continue
        told += 1
        command = known[words[0]]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, action
    assert told == 10
