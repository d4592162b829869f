"""The commands of training: its options, architectures, pre-flights, sweeps, scaling laws."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from cli_process import Done, sae_desktop
from typer.testing import CliRunner

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.cli import training_commands
from sae_desktop.cli.app import app
from sae_desktop.cli.harvest_options import HARVEST_CHOICES, STREAM_CHOICES
from sae_desktop.cli.training_options import _TRAIN
from sae_desktop.dictionary.architectures import ARCHITECTURES, DEFAULT
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig

GIVEN_BY_EVERY_COMMAND = {"project", "name", "stream"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with 2,000 rows: mixtures of a few directions."""
    folder = tmp_path_factory.mktemp("training")
    random = np.random.default_rng(0)
    mixtures = random.random((2000, 24)) * (random.random((2000, 24)) < 0.1)
    np.save(folder / "rows.npy", (mixtures @ random.normal(size=(24, 12))).astype(np.float32))
    project = folder / "p.saeproj"
    done = sae_desktop("import-activations", project, folder / "rows.npy", "--name", "a", "--json")
    assert done.status == 0, done.stderr
    return project


def ok(done: Done) -> dict[str, object]:
    assert done.status == 0, done.stderr
    result: dict[str, object] = done.result
    return result


# ---------------------------------------------------------------- options
def test_train__has_an_option_for_every_setting() -> None:
    fields = {field.name for field in msgspec.structs.fields(TrainConfig)}
    assert {choice.field for choice in _TRAIN} == fields - GIVEN_BY_EVERY_COMMAND


def test_train__hands_every_option_to_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TrainConfig] = []
    monkeypatch.setattr(
        training_commands, "run_training", lambda config, *_, **__: seen.append(config)
    )
    command = (
        "train p --name d --activations a --other-activations b --other-activations c "
        "--target crosscoder --site x --site y --output-site z --no-exclude-massive "
        "--centre always --architecture standard "
        "--features 7 --k 3 --k-start 6 --sparsity 1.5 --init data --aux-weight 0.5 "
        "--threshold-decay 0.5 --resample --tokens 70 --batch 7 --lr 0.25 --lr-warm-up 0.1 "
        "--lr-decay 0.3 --sparsity-warm-up 0.4 --gradient-clip 2 --seed 5 "
        "--precision bfloat16 --device cpu --dead-window 9 --metric-rows 8 "
        "--checkpoint-seconds 6 --keep-checkpoints 4"
    )
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 0, done.output
    assert seen == [
        TrainConfig(
            project="p", name="d", activations="a", other_activations=("b", "c"),
            target="crosscoder", sites=("x", "y"), output_sites=("z",),
            exclude_massive=False, centre="always",
            architecture="standard", features=7, k=3, k_start=6, sparsity=1.5, init="data",
            aux_weight=0.5, threshold_decay=0.5, resample=True, tokens=70, batch=7, lr=0.25,
            lr_warm_up=0.1, lr_decay=0.3, sparsity_warm_up=0.4, gradient_clip=2.0, seed=5,
            precision="bfloat16", device="cpu", dead_window=9, metric_rows=8,
            checkpoint_seconds=6.0, keep_checkpoints=4,
        )
    ]  # fmt: skip


def test_train__without_options_has_the_defaults_of_the_config(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[TrainConfig] = []
    monkeypatch.setattr(
        training_commands, "run_training", lambda config, *_, **__: seen.append(config)
    )
    CliRunner().invoke(app, ["train", "p", "--name", "d", "--activations", "a"])
    assert seen == [TrainConfig(project="p", name="d", activations="a")]


def test_train__streams_the_sites_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TrainConfig] = []
    monkeypatch.setattr(
        training_commands, "run_training", lambda config, *_, **__: seen.append(config)
    )
    command = (
        "train p --name d --stream --site blocks.1.hook_resid_post --batch-tokens 512 --bos never"
    )
    assert CliRunner().invoke(app, command.split()).exit_code == 0
    stream = seen[0].stream
    assert stream is not None
    read = (stream.site, stream.batch_tokens, stream.bos)
    assert read == ("blocks.1.hook_resid_post", 512, "never")


def test_harvest__has_an_option_for_every_setting() -> None:
    fields = {field.name for field in msgspec.structs.fields(HarvestConfig)}
    assert {choice.field for choice in HARVEST_CHOICES} == fields - {"project", "name", "site"}
    assert {choice.field for choice in STREAM_CHOICES} < fields


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("sweep p --name s --activations a --features 8,many", "--features"),
        ("sweep p --name s --activations a --features 0", "--features"),
        ("sweep p --name s --activations a --lr 1e-3,nan", "--lr"),
        ("sweep p --name s --activations a --seed=-1", "--seed"),
        ("sweep p --name s --activations a --architecture topk,foo", "foo"),
        ("sweep p --name s", "--activations"),
        ("preflight p --activations a --features 0", "--features"),
        ("scaling p", "--sweep"),
    ],
)
def test_bad_usage__names_the_option(command: str, complaint: str) -> None:
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 2
    assert complaint in done.output


# ---------------------------------------------------------------- commands
def test_architectures__are_those_of_the_registry() -> None:
    found = ok(sae_desktop("architectures", "--json"))["architectures"]
    assert isinstance(found, list)
    assert {a["name"] for a in found} == set(ARCHITECTURES)
    assert found[0]["name"] == DEFAULT
    assert "matryoshka" in sae_desktop("architectures").stdout


def test_train__ends_with_figures_and_advice(imported: Path) -> None:
    done = sae_desktop(
        "train", imported, "--activations", "a", "--name", "starved", "--architecture", "standard",
        "--features", "32", "--sparsity", "500", "--tokens", "20000", "--batch", "100",
        "--device", "cpu",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert "fvu" in done.stdout
    assert "a smaller λ" in done.stdout


def test_preflight__tells_what_is_needed_and_how_long_it_takes(imported: Path) -> None:
    command = ("preflight", imported, "--activations", "a", "--features", "64", "--device", "cpu")
    told = ok(sae_desktop(*command, "--json"))
    assert told["fits"] is True
    assert isinstance(told["step_seconds"], float)
    text = sae_desktop(*command, "--no-measure").stdout
    assert "Adam’s moments" in text
    assert "It fits" in text
    refused = sae_desktop(*command, "--features", str(2**34))
    assert refused.status == 1, refused.stderr
    assert "This would fit: " in refused.stdout
    assert "preflight" not in Project.open(imported).runs()


def test_sweep__and_its_scaling_laws(imported: Path) -> None:
    swept = sae_desktop(
        "sweep", imported, "--activations", "a", "--name", "s", "--architecture", "topk",
        "--features", "8,16,32", "--k", "2", "--tokens", "4000,8000,16000", "--batch", "100",
        "--metric-rows", "100", "--lr", "3e-3", "--device", "cpu",
    )  # fmt: skip
    assert swept.status == 0, swept.stderr
    assert "s-f32-t16000" in swept.stdout
    assert "9 done, 0 failed" in swept.stdout
    told = ok(sae_desktop("scaling", imported, "--sweep", "s", "--budget", "20000", "--json"))
    series = told["series"][0]  # type: ignore[index]
    assert series["laws"]["loss"]["exponent"] < 0
    assert series["optimum"]["compute"] == 20_000
    assert {"low", "high"} == set(series["optimum"]["loss_interval"])
    text = sae_desktop("scaling", imported, "--sweep", "s", "--budget", "20000").stdout
    assert "for the fitted laws, from the scatter of the runs" in text
    assert "Pareto front of FVU against L0: " in text
    missing = sae_desktop("scaling", imported, "--sweep", "nothing")
    assert missing.status == 1
    assert "Available: s." in missing.stderr
