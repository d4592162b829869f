"""A setting's bounds are stated once, and job, command line and window all keep to them."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from typer.main import get_command

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.cli.app import app
from sae_desktop.engine.run import run_job
from sae_desktop.errors import UserError
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.config import MOST_REACH, IndexConfig, ProbeConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.limits import Limits, beyond_limits, limits
from sae_desktop.sizing.config import SizeConfig
from sae_desktop.steering.config import Sampling
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.settings_check import setting_problems

# Command, what it needs beside the option that is tried, the config behind it.
_COMMANDS: dict[str, tuple[tuple[str, ...], type[msgspec.Struct]]] = {
    "train": (("P", "--name", "n", "--activations", "a"), TrainConfig),
    "preflight": (("P", "--name", "n", "--activations", "a"), TrainConfig),
    "sweep": (("P", "--name", "n", "--activations", "a"), TrainConfig),
    "harvest": (("P", "--name", "n"), HarvestConfig),
    "evaluate": (("P", "--dictionary", "d"), EvaluateConfig),
    "index": (("P", "--dictionary", "d", "--name", "n"), IndexConfig),
    "probe": (("P", "--index", "i", "--text", "t"), ProbeConfig),
    "size": ((), SizeConfig),
    "steer": (("P", "--index", "i", "--prompt", "p", "--feature", "1"), Sampling),
}


_PROGRAM: Any = get_command(app)


def run(given: list[str]) -> int:
    """Run the program in this process; return its exit status."""
    with pytest.raises(SystemExit) as end:
        _PROGRAM(given, prog_name="sae-desktop")
    return int(end.value.code or 0)


def _outside(found: Limits) -> list[float]:
    """Numbers just beyond each bound."""
    beyond = [
        None if found.least is None else found.least - 1,
        None if found.most is None else found.most + 1,
        found.above,
        found.below,
    ]
    return [number for number in beyond if number is not None]


def _tried() -> list[Any]:
    commands = _PROGRAM.commands
    cases = []
    for name, (needed, config) in _COMMANDS.items():
        flags = {flag for p in commands[name].params for flag in p.opts}
        for field in config.__struct_fields__:
            found, flag = limits(config, field), f"--{field.replace('_', '-')}"
            if found is None or flag not in flags or flag in needed:
                continue
            cases += [pytest.param(name, needed, flag, v, id=f"{name} {flag} {v:g}")
                      for v in _outside(found)]  # fmt: skip
    return cases


@pytest.mark.parametrize(("command", "needed", "flag", "value"), _tried())
def test_command_line__refuses_a_setting_outside_its_bounds_before_the_job(
    command: str, needed: tuple[str, ...], flag: str, value: float, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run([command, *needed, flag, f"{value:g}"]) == 2
    told = capsys.readouterr().err
    assert flag in told
    assert "Traceback" not in told


def test_cases__cover_what_was_let_through_before() -> None:
    ids = {case.id for case in _tried()}
    assert {
        "train --threshold-decay 1",
        "train --checkpoint-seconds 0",
        "harvest --context-size 3",
        "preflight --threshold-decay 1",
        "sweep --checkpoint-seconds 0",
        "sweep --k 0",
        "probe --most-density 2",
        "steer --top-p 0",
        f"index --context-reach {MOST_REACH + 1:g}",
    } <= ids
    assert len(ids) > 60


@pytest.mark.parametrize("command", ["train", "preflight"])
def test_command_line__refuses_more_active_features_than_there_are(
    command: str, capsys: Any
) -> None:
    given = [command, "P", "--name", "n", "--activations", "a", "--features", "16", "--k", "17"]
    assert run([*given, "--architecture", "topk"]) == 2
    assert "--k" in capsys.readouterr().err
    assert run([*given, "--architecture", "standard"]) == 2  # it aims at k …
    # … unless λ is chosen; the job itself fails, for there is no project.
    assert run([*given, "--architecture", "standard", "--sparsity", "1"]) == 1


def test_sweep__names_the_run_that_cannot_be(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    given = ["sweep", "P", "--name", "n", "--activations", "a", "--architecture", "topk"]
    assert run([*given, "--features", "64,16", "--k", "8,32"]) == 2
    assert "n-f16-k32" in capsys.readouterr().err


def test_problems__ask_for_k_only_where_there_is_one() -> None:
    config = TrainConfig(project="", name="n", features=16, k=32)
    assert "k" in setting_problems(config, ("k",))
    assert setting_problems(config, ("sparsity",)) == {}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (TrainConfig(project="P", name="n", activations="a", threshold_decay=1.0), "threshold_dec"),
        (TrainConfig(project="P", name="n", activations="a", lr=math.nan), "lr"),
        (HarvestConfig(project="P", name="n", context_size=2), "context_size"),
        (FindFeaturesConfig(project="P", index="i", on=["a"], off=["b"], folds=1), "folds"),
    ],
)
def test_job__refuses_what_its_config_does(config: Any, field: str) -> None:
    with pytest.raises(UserError, match=f"{field}.* is out of range"):
        run_job(config, SilentContext())


def test_bounds__are_looked_for_in_configs_within() -> None:
    stream = HarvestConfig(project="", name="s", context_size=2)
    assert list(beyond_limits(TrainConfig(project="", name="n", stream=stream))) == ["context_size"]


def test_record_of_an_older_run__stays_readable_and_can_go_on() -> None:
    # A stream is kept without an amount of its own, an identity without any.
    stream = HarvestConfig(project="", name="", tokens=0)
    made = TrainConfig(project="P", name="n", stream=stream, keep_checkpoints=0)
    read = msgspec.json.decode(msgspec.json.encode(made), type=TrainConfig)
    assert read == made
    assert list(beyond_limits(read)) == ["keep_checkpoints"]


def test_limits__say_in_words_what_a_number_must_be() -> None:
    assert limits(TrainConfig, "k") == Limits(least=1)
    assert limits(TrainConfig, "name") is None
    words = {field: limits(TrainConfig, field) for field in TrainConfig.__struct_fields__}
    told = {field: found.words for field, found in words.items() if found is not None}
    assert told["lr_decay"] == "between 0 and 1"
    assert told["threshold_decay"] == "at least 0 and less than 1"
    assert told["checkpoint_seconds"] == "more than 0"
    assert told["sparsity"] == told["gradient_clip"] == "at least 0"
    assert "a finite number" not in told.values()


def test_defaults__lie_within_their_bounds() -> None:
    for _, config in _COMMANDS.values():
        fields = [f for f in msgspec.structs.fields(config) if f.default is not msgspec.NODEFAULT]
        for field in fields:
            found = limits(config, field.name)
            if found is not None and isinstance(field.default, int | float):
                assert found.allow(field.default), (config, field.name)
