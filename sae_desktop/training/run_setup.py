"""Everything about a run before its first step: its settings, its name, its state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec
import torch

from sae_desktop.corpus.config import decode_made
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.architectures._l0_aim import BUFFERS as L0_BUFFERS
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.errors import UserError
from sae_desktop.project import Project, config_record
from sae_desktop.training import run_folder
from sae_desktop.training.checkpoint import (
    Checkpoint,
    Progress,
    delete_checkpoints,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
)
from sae_desktop.training.config import RunChange, TrainConfig, TrainResult
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.planning.capacity import refuse_what_cannot_fit
from sae_desktop.training.resampling import can_resample
from sae_desktop.training.rows.target_architecture import architecture_of
from sae_desktop.training.rows.targets import TargetPlan
from sae_desktop.training.settings_check import aims_at_k, chosen_init, setting_problems
from sae_desktop.training.starting import CHECKED_ROWS, Start, begin_as, find_parent
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser

_INITIAL_ROWS = 16_384
_DEAD_SHARE_OF_RUN = 0.1
GO_ON_RATE = 0.3
"""Learning rate of a run that starts from a dictionary, where none was chosen, as a share of that
of a run from scratch."""
GO_ON_WARM_UP = 0.05
"""Share of such a run over which the rate, and λ, rise at most: Adam's moments begin afresh."""


@dataclass(frozen=True)
class PlannedRun:
    """A run whose settings are sound and whose name is its own."""

    config: TrainConfig
    folder: Path
    recipe: Recipe
    checkpoint: Checkpoint | None
    finished: TrainResult | None = None
    """The result of a run that was trained to its end before."""

    @property
    def checkpoints(self) -> Path:
        return self.folder / run_folder.CHECKPOINT

    @property
    def rows(self) -> int:
        """Rows it has consumed."""
        return self.checkpoint.progress.rows if self.checkpoint else 0


def plan_run(config: TrainConfig) -> PlannedRun:
    """Check a run's settings and find what there is of it.

    Raises UserError for settings that cannot work, for a name taken by another run, and where
    there are checkpoints and none can be read.
    """
    check_config(config)
    folder = Project.open(config.project).dictionary_path(config.name)
    recipe = recipe_of(config)
    finished = _finished(folder, config)
    if finished is not None:
        # A run killed after it was saved has not removed them yet.
        delete_checkpoints(folder / run_folder.CHECKPOINT)
        return PlannedRun(config, folder, recipe, None, finished)
    checkpoint = load_checkpoint(folder / run_folder.CHECKPOINT)
    if checkpoint is not None:
        config = _in_order_of(checkpoint.progress.config, config)
        if not _same(checkpoint.progress.config, config):
            raise _name_taken(config)
    else:
        find_parent(config)
    if checkpoint is None and folder.is_dir():
        # A run killed before its first checkpoint left nothing to go on from.
        (folder / run_folder.RUN_LOG).unlink(missing_ok=True)
    if checkpoint is not None:
        for change in checkpoint.progress.changes:
            recipe = changed(recipe, change)
    return PlannedRun(config, folder, recipe, checkpoint)


def check_config(config: TrainConfig) -> None:
    """Raise UserError that names the first setting that cannot work."""
    problems = setting_problems(config, _own_settings(config))
    if config.architecture not in ARCHITECTURES:
        problems = {"architecture": f"Choose one of {', '.join(ARCHITECTURES)}."}
    for name, way_out in problems.items():
        raise UserError(
            f"The training setting {name} = {getattr(config, name)} is not valid.",
            kept="Nothing was changed.",
            next_step=way_out,
        )
    if bool(config.activations) == (config.stream is not None):
        raise UserError(
            "A run learns either from an activation store or from a stream, but "
            f"{'both are' if config.activations else 'neither is'} named here.",
            next_step="Choose one of the two.",
        )


def _own_settings(config: TrainConfig) -> tuple[str, ...]:
    architecture = ARCHITECTURES.get(config.architecture)
    return () if architecture is None else architecture.settings


def recipe_of(config: TrainConfig) -> Recipe:
    """Return the numbers that steer a run, those not chosen from its architecture."""
    steps = math.ceil(config.tokens / config.batch)
    architecture = architecture_of(config)
    longest = max(config.batch, int(_DEAD_SHARE_OF_RUN * config.tokens))
    aims = aims_at_k(config, architecture.aims)
    usual = architecture.usual_lr(config.features, steps, aims_at_k=aims)
    return Recipe(
        steps=steps,
        lr=config.lr or _usual_rate(config, usual),
        sparsity=architecture.default_sparsity if config.sparsity is None else config.sparsity,
        dead_window=min(config.dead_window, longest),
        lr_warm_up=config.lr_warm_up or (GO_ON_WARM_UP if config.start_from else 0.0),
        lr_decay=config.lr_decay,
        sparsity_warm_up=(
            _usual_warm_up(config, architecture.sparsity_warm_up)
            if config.sparsity_warm_up is None
            else config.sparsity_warm_up
        ),
        gradient_clip=config.gradient_clip,
        aims_at_k=aims,
    )


def _usual_rate(config: TrainConfig, rate: float) -> float:
    return GO_ON_RATE * rate if config.start_from else rate


def _usual_warm_up(config: TrainConfig, share: float) -> float:
    """Return over which share of the run λ rises: for a dictionary that is sparse already, hardly
    any, or it would forget that first."""
    return min(share, GO_ON_WARM_UP) if config.start_from else share


def changed(recipe: Recipe, change: RunChange) -> Recipe:
    """Return a recipe with what a person changed during the run."""
    return replace(
        recipe,
        lr=recipe.lr if change.lr is None else change.lr,
        sparsity=recipe.sparsity if change.sparsity is None else change.sparsity,
        aims_at_k=recipe.aims_at_k and change.sparsity is None,
    )


def identity(config: TrainConfig) -> str:
    """The settings that make two runs the same, as JSON; where and how they run is left out."""
    neutral = msgspec.structs.replace(
        _portable(config),
        project="",
        device="auto",
        checkpoint_seconds=0.0,
        keep_checkpoints=0,
        metric_rows=0,
        measure_loss=True,
        init=chosen_init(config),
    )
    return msgspec.json.encode(neutral).decode()


def _same(saved: str, config: TrainConfig) -> bool:
    """Return whether a run that was started with `saved`, an identity, is the one asked for.

    What an older program did not know yet has its default.
    """
    try:
        begun = decode_made(saved, TrainConfig)
    except (ValueError, RecursionError):
        return False
    return identity(begun) == identity(config)


def _in_order_of(known: str, config: TrainConfig) -> TrainConfig:
    """Return the config of a streamed run, started before there was an order to choose, with it."""
    stream = msgspec.json.decode(known).get("stream")
    if config.stream is None or not stream or "order" in stream:
        return config
    return msgspec.structs.replace(
        config, stream=msgspec.structs.replace(config.stream, order="files")
    )


def record(config: TrainConfig) -> str:
    """Return the config as JSON for the files of the run."""
    return config_record(_portable(config))


def _portable(config: TrainConfig) -> TrainConfig:
    """Without what a stream's harvest has and does not use."""
    if config.stream is None:
        return config
    stream = msgspec.structs.replace(
        config.stream, project="", name="", tokens=0, device="auto", commit_seconds=0.0
    )
    return msgspec.structs.replace(config, stream=stream)


def _finished(folder: Path, config: TrainConfig) -> TrainResult | None:
    """Return the result of a finished run of the same settings."""
    if not (folder / run_folder.CFG).is_file():
        return None
    summary = run_folder.read_summary(folder)
    if summary.train is not None and identity(summary.train) == identity(config):
        return summary.result
    raise _name_taken(config)


def _name_taken(config: TrainConfig) -> UserError:
    return UserError(
        f"There is already a dictionary “{config.name}”, trained with other settings.",
        kept="It was left unchanged.",
        next_step="Choose another name, or delete that dictionary.",
    )


class Beginning(Protocol):
    """What a run's first state is made from, as every `Source` is."""

    plan: TargetPlan

    @property
    def pool_bytes(self) -> int: ...
    def sample(self, rows: int) -> Batch: ...


def begin_state(
    run: PlannedRun, source: Beginning, device: torch.device, start: Start | None = None
) -> TrainerState:
    """Return a run's state at its start, or that of its checkpoint.

    `start` is the dictionary it starts from; None: it begins at random.

    Raises UserError for a dictionary that does not fit on this machine, and where the
    checkpoint is of another shape.
    """
    config = run.config
    refuse_what_cannot_fit(config, source.plan, device, pool_bytes=source.pool_bytes)
    generator = torch.Generator().manual_seed(config.seed)
    setup = Setup(
        **source.plan.setup_fields(),
        features=config.features,
        steps=run.recipe.steps,
        k=config.k,
        # One that is sparse already has no use for a larger k to begin with.
        k_start=config.k_start or (config.k if config.start_from else 0),
        lista_step=config.lista_step,
        leave_one_out=config.leave_one_out,
        precision=resolve_precision(config.precision, device),
        aux_weight=config.aux_weight,
        threshold_decay=config.threshold_decay,
        init=chosen_init(config),
        aims_at_k=aims_at_k(config, architecture_of(config).aims),
    )
    architecture = architecture_of(config)(setup, generator)
    if config.resample and not can_resample(architecture):
        raise UserError(
            f"The architecture “{config.architecture}” cannot reinitialise dead features.",
            next_step="Turn resampling off.",
        )
    if run.checkpoint is None and start is not None:
        begin_as(architecture, start, source.sample(CHECKED_ROWS))
    elif run.checkpoint is None:
        architecture.initialise_from(source.sample(_INITIAL_ROWS))
    architecture.to(device)
    state = TrainerState(
        architecture=architecture,
        optimiser=make_optimiser(architecture, run.recipe.lr),
        firing=FiringCounter(config.features, device),
    )
    if run.checkpoint is not None:
        _restore(state, run.checkpoint)
    return state


def state_groups(state: TrainerState) -> Mapping[str, Mapping[str, torch.Tensor]]:
    """Return every tensor of a state, as a checkpoint groups them."""
    return {
        "parameters": state.architecture.parameters,
        "buffers": state.architecture.buffers,
        "firing": state.firing.state(),
        "optimiser": optimiser_tensors(state.optimiser, list(state.architecture.parameters)),
    }


def _restore(state: TrainerState, checkpoint: Checkpoint) -> None:
    architecture = state.architecture
    for prefix, own in (
        ("parameters", architecture.parameters),
        ("buffers", architecture.buffers),
        ("firing", state.firing.state()),
    ):
        # Saved by a version that led λ otherwise or not: that begins with the next batch.
        own = {
            name: tensor
            for name, tensor in own.items()
            if name not in L0_BUFFERS or f"{prefix}/{name}" in checkpoint.shapes
        }
        checkpoint.require_shapes(prefix, own)
        for name, tensor in checkpoint.group(prefix):
            if name in own or name not in L0_BUFFERS:
                own[name].data.copy_(tensor)
    names = list(architecture.parameters)
    restore_optimiser(state.optimiser, names, checkpoint.group("optimiser"))
    progress: Progress = checkpoint.progress
    state.step, state.rows = progress.step, progress.rows
