"""The command `launch`: how a training is started on several processes, written out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sae_desktop.cli.config_options import Settings
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.cli.training_options import train_config, with_training_options
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.words.launch_text import Launch, Taken, slurm_script, torchrun_line


class Launched(msgspec.Struct, frozen=True):
    """What `launch` writes."""

    text: str
    """The command line or the script."""
    basis: str
    """Where its resources come from."""


@with_training_options()
def launch(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the dictionary to write.")],
    settings: Settings,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes on each machine; one per card.")
    ] = 2,
    machines: Annotated[int, typer.Option("--machines", min=1, help="Machines.")] = 1,
    slurm: Annotated[
        bool,
        typer.Option(
            "--slurm", help="Write a script for Slurm, with memory and time as `size` has them."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the torchrun line, or a Slurm script, that trains on several processes.

    The options are those of `train`. Nothing is started.
    """
    config = train_config(project.resolve(), name, settings)

    def work() -> Launched:
        prepare_environment()
        from sae_desktop.training.ranks.refused import refuse_what_cannot_be_shared

        refuse_what_cannot_be_shared(config, processes * machines)
        threads = max(1, (os.cpu_count() or 1) // processes)
        asked = Launch(config, processes, machines, threads)
        taken = _taken(config)
        text = slurm_script(asked, taken) if slurm else torchrun_line(asked)
        return Launched(text, taken.basis)

    run_reading_command(work, lambda done: done.text, as_json=as_json)


def _taken(config: TrainConfig) -> Taken:
    """Return what one process of the training takes on this machine."""
    from sae_desktop.activations.store import ActivationStore
    from sae_desktop.sizing.config import FACTOR, SizeConfig
    from sae_desktop.sizing.job import size

    store = ActivationStore.open(Project.open(config.project).store_path(config.activations))
    width = store.width(config.sites[0] if config.sites else None)
    asked = SizeConfig(
        width=width,
        parameters=width**2,  # a training from a store asks nothing of the model
        tokens=config.tokens,
        features=config.features,
        architecture=config.architecture,
        k=config.k,
        batch=config.batch,
        precision=config.precision,
        folder=str(Path(config.project)),
    )
    found = size(asked, SilentContext())
    training = next(stage for stage in found.stages if stage.stage == "training")
    return Taken(
        memory=training.memory.value * FACTOR[training.memory.sure],
        seconds=training.seconds.value * FACTOR[training.seconds.sure],
        basis=found.basis,
    )
