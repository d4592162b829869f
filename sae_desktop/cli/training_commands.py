"""Commands that train a dictionary and measure one."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from sae_desktop.cli import render
from sae_desktop.cli.config_options import Settings, option
from sae_desktop.cli.options import (
    DeviceOption,
    DictionaryOption,
    JsonOption,
    ProjectArgument,
    SeedOption,
    StoreOption,
)
from sae_desktop.cli.rank_runner import run_training
from sae_desktop.cli.runner import run_job_command
from sae_desktop.cli.training_options import (
    architecture_settings,
    train_config,
    with_training_options,
)
from sae_desktop.described import default
from sae_desktop.project import Project
from sae_desktop.training.architecture_info import (
    ArchitecturesDescription,
    DescribeArchitecturesConfig,
)
from sae_desktop.training.config import (
    EvaluateConfig,
    TrainConfig,
    TrainResult,
)
from sae_desktop.training.run_folder import RUN_LOG
from sae_desktop.training.run_log import read_run
from sae_desktop.training.sweeps.sweep_config import settings_in_force
from sae_desktop.words.advice import advice
from sae_desktop.words.curve_buffer import CurveBuffer
from sae_desktop.words.start_words import started_sentence


@with_training_options()
def train(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the dictionary to write.")],
    settings: Settings,
    as_json: JsonOption = False,
) -> None:
    """Train a dictionary on a store of activations, or while harvesting.

    Under torchrun several processes train one together: see `launch`.
    """
    config = train_config(project, name, settings)

    def text(result: TrainResult) -> str:
        started = result.started_from
        fields = {k: v for k, v in msgspec.to_builtins(result).items() if k != "started_from"}
        figures = render.figures(fields)
        told = ["", started_sentence(started)] if started is not None else []
        return "\n".join([figures, *told, *_advice(config)])

    run_training(config, text, as_json=as_json)


def _advice(config: TrainConfig) -> list[str]:
    """Return the advice that the window would give on the run's curves."""
    log = Project.open(config.project).dictionary_path(config.name) / RUN_LOG
    if not log.is_file():
        return []
    buffer = CurveBuffer.of_run(read_run(log), config.features)
    heeds = settings_in_force(architecture_settings(config.architecture), config.sparsity)
    remarks = advice(config, buffer, heeds=heeds)
    return ["", *remarks.values()] if remarks else []


def evaluate(
    project: ProjectArgument,
    dictionary: DictionaryOption,
    activations: StoreOption = default(EvaluateConfig, "activations"),
    other_activations: Annotated[
        list[str] | None,
        option(EvaluateConfig, "other_activations", "--other-activations"),
    ] = None,
    rows: Annotated[int, option(EvaluateConfig, "rows")] = default(EvaluateConfig, "rows"),
    loss_windows: Annotated[int, option(EvaluateConfig, "loss_windows")] = default(
        EvaluateConfig, "loss_windows"
    ),
    control: Annotated[bool, option(EvaluateConfig, "control")] = default(
        EvaluateConfig, "control"
    ),
    control_seeds: Annotated[int, option(EvaluateConfig, "control_seeds")] = default(
        EvaluateConfig, "control_seeds"
    ),
    seed: SeedOption = default(EvaluateConfig, "seed"),
    device: DeviceOption = default(EvaluateConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Measure a dictionary: fit, shrinkage, dead and dense features, loss recovered."""
    config = EvaluateConfig(
        project=str(project),
        dictionary=dictionary,
        activations=activations,
        other_activations=tuple(other_activations or ()),
        rows=rows,
        loss_windows=loss_windows,
        control=control,
        control_seeds=control_seeds,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.figures, as_json=as_json)


def architectures(as_json: JsonOption = False) -> None:
    """List the architectures that can be trained."""
    run_job_command(DescribeArchitecturesConfig(), _architectures_text, as_json=as_json)


def _architectures_text(found: ArchitecturesDescription) -> str:
    rows = [
        (a.name, a.summary, ", ".join(f"--{s.replace('_', '-')}" for s in a.settings))
        for a in found.architectures
    ]
    return render.table(("name", "what it does", "its own options"), rows, left={0, 1, 2})
