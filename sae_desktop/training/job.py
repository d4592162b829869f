"""The job `train`: from a store of activations to a saved dictionary."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import torch

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import save
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project, config_record, existing
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training import observer as watching
from sae_desktop.training import run_folder
from sae_desktop.training.checkpoint import (
    Checkpoint,
    Progress,
    delete_checkpoint,
    load_checkpoint,
    restore_optimiser,
)
from sae_desktop.training.config import TrainConfig, TrainResult
from sae_desktop.training.data import BatchStream, Split, split_rows
from sae_desktop.training.metrics import FiringCounter
from sae_desktop.training.observer import RunObserver
from sae_desktop.training.run_log import RunLogWriter
from sae_desktop.training.splice import SpliceText, model_of, splice_text
from sae_desktop.training.trainer import Recipe, Run, TrainerState, make_optimiser, train_loop

_INITIAL_SAMPLE = 16_384
_CURVE_WINDOWS = 16
_DEAD_SHARE_OF_RUN = 0.1


def train(config: TrainConfig, context: JobContext) -> TrainResult:
    """Train a dictionary, or go on with an unfinished run of the same settings.

    On pause, cancel and every few minutes a checkpoint is written, from which the run goes on
    bit for bit. Raises UserError for settings that cannot work, a name taken by another run,
    a store that cannot be trained on, or a full disk.
    """
    _check(config)
    project = Project.open(config.project)
    existing("activation store", config.activations, project.stores())
    store = ActivationStore.open(project.store_path(config.activations))
    folder = project.dictionary_path(config.name)
    finished = _finished(folder, config)
    if finished is not None:
        context.log(f"The dictionary “{config.name}” is already trained.")
        return finished
    device = resolve_device(config.device)
    checkpoint = load_checkpoint(folder / run_folder.CHECKPOINT)
    _refuse_other_run(folder, config, checkpoint)
    progress = checkpoint.progress if checkpoint else _new_progress(config, store)
    site = store.site
    split = split_rows(
        store, site, exclude_massive=config.exclude_massive, rows=progress.store_rows
    )
    if len(split.excluded):
        context.log(
            f"{len(split.excluded):,} rows of more than ten times the median norm are left out."
        )
    recipe = _recipe(config)
    state = _begin_state(config, recipe, store, site, split, device)
    if checkpoint:
        _restore(state, checkpoint)
        context.log(f"Going on at {state.rows:,} of {config.tokens:,} rows.")
    text = _loss_text(config, store, site, split, context)
    log = _open_log(folder, config, recipe, progress)
    observer = RunObserver(
        config, recipe, context, log, store, site, split, text,
        folder / run_folder.CHECKPOINT, progress,
    )  # fmt: skip
    batches = BatchStream(
        store, site, split,
        batch=config.batch, seed=config.seed, start=state.rows, total=config.tokens, device=device,
    )  # fmt: skip
    try:
        train_loop([Run(state, recipe, observer)], (Batch.of(x_TD) for x_TD in batches))
    except JobCancelledError:
        observer.save(state)
        raise
    except FloatingPointError:
        raise UserError(
            f"The loss of “{config.name}” is no longer a number at step {state.step:,}.",
            kept="The last checkpoint is kept.",
            next_step="Train again under another name with a lower learning rate.",
        ) from None
    finally:
        log.close()
    return _finish(folder, config, recipe, store, split, state, observer)


def _check(config: TrainConfig) -> None:
    problems = {
        "architecture": config.architecture not in ARCHITECTURES,
        "features": config.features < 1,
        "k": _uses_k(config) and not 1 <= config.k <= config.features,
        "sparsity": config.sparsity is not None and config.sparsity < 0,
        "batch": config.batch < 1,
        "tokens": config.tokens < config.batch,
        "lr": config.lr < 0 or not math.isfinite(config.lr),
    }
    for name, wrong in problems.items():
        if wrong:
            raise UserError(
                f"The training setting {name} = {getattr(config, name)} cannot work.",
                next_step={
                    "architecture": f"Choose one of {', '.join(ARCHITECTURES)}.",
                    "k": "It lies between 1 and the number of features.",
                    "tokens": f"It must cover one batch of {config.batch:,} rows.",
                }.get(name, "It must be a positive number."),
            )


def _uses_k(config: TrainConfig) -> bool:
    architecture = ARCHITECTURES.get(config.architecture)
    return architecture is not None and "k" in architecture.settings


def _recipe(config: TrainConfig) -> Recipe:
    steps = math.ceil(config.tokens / config.batch)
    architecture = ARCHITECTURES[config.architecture]
    lr = config.lr or architecture.default_lr(config.features, steps)
    longest = max(config.batch, int(_DEAD_SHARE_OF_RUN * config.tokens))
    return Recipe(
        steps=steps,
        lr=lr,
        sparsity=architecture.default_sparsity if config.sparsity is None else config.sparsity,
        dead_window=min(config.dead_window, longest),
        lr_warm_up=config.lr_warm_up,
        lr_decay=config.lr_decay,
        sparsity_warm_up=(
            architecture.sparsity_warm_up
            if config.sparsity_warm_up is None
            else config.sparsity_warm_up
        ),
        gradient_clip=config.gradient_clip,
    )


def _new_progress(config: TrainConfig, store: ActivationStore) -> Progress:
    return Progress(config=_identity(config), store_rows=store.rows)


def _identity(config: TrainConfig) -> str:
    """The settings that make two runs the same, as JSON; where and how they run is left out."""
    neutral = msgspec.structs.replace(
        config, project="", device="auto", checkpoint_seconds=0.0, metric_rows=0
    )
    return msgspec.json.encode(neutral).decode()


def _finished(folder: Path, config: TrainConfig) -> TrainResult | None:
    """Return the result of a finished run of the same settings."""
    if not (folder / run_folder.CFG).is_file():
        return None
    summary = run_folder.read_summary(folder)
    if summary.train is not None and _identity(summary.train) == _identity(config):
        return summary.result
    raise _name_taken(config)


def _refuse_other_run(folder: Path, config: TrainConfig, checkpoint: Checkpoint | None) -> None:
    if checkpoint is not None and checkpoint.progress.config != _identity(config):
        raise _name_taken(config)
    if checkpoint is None and folder.is_dir():
        # A run killed before its first checkpoint left nothing to go on from.
        (folder / run_folder.RUN_LOG).unlink(missing_ok=True)


def _name_taken(config: TrainConfig) -> UserError:
    return UserError(
        f"There is already a dictionary “{config.name}”, trained with other settings.",
        kept="It was left as it is.",
        next_step="Choose another name, or delete that dictionary.",
    )


def _begin_state(
    config: TrainConfig,
    recipe: Recipe,
    store: ActivationStore,
    site: str,
    split: Split,
    device: torch.device,
) -> TrainerState:
    generator = torch.Generator().manual_seed(config.seed)
    setup = Setup(
        width=store.width(site),
        features=config.features,
        steps=recipe.steps,
        k=config.k,
        precision=resolve_precision(config.precision, device),
        aux_weight=config.aux_weight,
        threshold_decay=config.threshold_decay,
        init=config.init,
    )
    architecture = ARCHITECTURES[config.architecture](setup, generator)
    rows = watching.evenly(split.training, _INITIAL_SAMPLE)
    sample = torch.from_numpy(store.gather(rows, site)).float()
    architecture.initialise_from(Batch.of(sample * split.scalar))
    architecture.to(device)
    return TrainerState(
        architecture=architecture,
        optimiser=make_optimiser(architecture, recipe.lr),
        firing=FiringCounter(config.features, device),
    )


def _restore(state: TrainerState, checkpoint: Checkpoint) -> None:
    architecture = state.architecture
    for name, tensor in checkpoint.group("parameters").items():
        architecture.parameters[name].data.copy_(tensor)
    for name, tensor in checkpoint.group("buffers").items():
        architecture.buffers[name].copy_(tensor)
    state.firing.restore(checkpoint.group("firing"))
    names = list(architecture.parameters)
    restore_optimiser(state.optimiser, names, checkpoint.group("optimiser"))
    state.step, state.rows = checkpoint.progress.step, checkpoint.progress.rows


def _loss_text(
    config: TrainConfig, store: ActivationStore, site: str, split: Split, context: JobContext
) -> SpliceText | None:
    """Return text to measure the loss recovered on; without the model, say so and go on."""
    try:
        lm = model_of(store, config.device)
    except UserError as error:
        context.log(f"The loss recovered is not measured: {error}")
        return None
    if lm is None:
        return None
    first = int(split.held_out[0]) if len(split.held_out) else 0
    return splice_text(lm, store, site, windows=_CURVE_WINDOWS, first_row=first)


def _open_log(
    folder: Path, config: TrainConfig, recipe: Recipe, progress: Progress
) -> RunLogWriter:
    path = folder / run_folder.RUN_LOG
    if path.is_file() and progress.step:
        return RunLogWriter(path, keep_points=progress.points, keep_snapshots=progress.snapshots)
    points = min(recipe.steps, watching.CURVE_POINTS) + 2
    return RunLogWriter.create(
        path,
        config_record(config),
        points=points,
        snapshots=watching.SNAPSHOTS + 2,
    )


def _finish(
    folder: Path,
    config: TrainConfig,
    recipe: Recipe,
    store: ActivationStore,
    split: Split,
    state: TrainerState,
    observer: RunObserver,
) -> TrainResult:
    affine = Affine.scaling(split.scalar, store.width(store.site)).to(state.device)
    dictionary = state.architecture.folded(affine, affine)
    dictionary.metadata = {
        "model_name": store.info.model,
        "model_revision": store.info.model_revision,
        "hook_name": store.site,
        "context_size": store.info.context_size,
        "prepend_bos": store.info.bos_prepended,
        "dataset_path": store.info.corpus,
        "training_architecture": config.architecture,
        "activation_store": config.activations,
        "training_rows": state.rows,
        "input_scalar": split.scalar,
    }
    fit = observer.fit(dictionary)
    result = TrainResult(
        name=config.name,
        architecture=config.architecture,
        features=config.features,
        steps=state.step,
        rows=state.rows,
        loss=observer.loss,
        l0=fit.l0,
        fvu=fit.fvu,
        dead_fraction=float(state.firing.dead(recipe.dead_window).double().mean()),
        dead_window=min(recipe.dead_window, state.rows),
        seconds=observer.seconds,
        rows_per_second=state.rows / max(observer.seconds, 1e-9),
        stopped_early=observer.stopped_early,
    )
    write_bytes(folder / run_folder.TRAIN_CONFIG, config_record(config).encode())
    write_bytes(folder / run_folder.TRAIN_RESULT, msgspec.json.encode(result))
    save(dictionary, folder)
    delete_checkpoint(folder / run_folder.CHECKPOINT)
    return result
