"""The job `preflight`: whether a training fits, and how long it takes."""

from __future__ import annotations

import math
import time
from contextlib import closing, suppress

import msgspec
import torch

from sae_desktop.activations.harvest_plan import plan_harvest, store_info
from sae_desktop.activations.store import ActivationStore
from sae_desktop.devices.abilities import synchronise
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project, existing
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.planning import needs
from sae_desktop.training.planning.capacity import free_for, load_of
from sae_desktop.training.planning.needs import Free, Load
from sae_desktop.training.planning.preflight_config import PreflightConfig, PreflightResult
from sae_desktop.training.rows.batches import Batches
from sae_desktop.training.rows.layer_view import LayerView
from sae_desktop.training.rows.source import Source, StoreSource
from sae_desktop.training.rows.streaming import StreamSource
from sae_desktop.training.rows.targets import TargetPlan, resolve_target
from sae_desktop.training.run_setup import PlannedRun, begin_state, check_config, recipe_of
from sae_desktop.training.starting import find_parent, opened_start, require_width
from sae_desktop.training.trainer import train_step

_WARM_UP_STEPS = 2
_STEPS = 12
_SECONDS = 4.0
"""After so long no further step is measured."""
_MEASURED_ROWS = 4096
"""Of a stream, over which the harvest's rate is measured."""


def preflight(config: PreflightConfig, context: JobContext) -> PreflightResult:
    """Tell what a training needs, what there is, and from a few of its steps how long it takes.

    Raises UserError for settings that a training would refuse for other reasons.
    """
    train = config.train
    check_config(train)
    parent = find_parent(train)
    device = resolve_device(train.device)
    if train.stream is not None:
        plan_of(train)  # loads the model, so that the harvest alone is timed
    began = time.perf_counter()
    source = _open_source(train, context)
    # A harvest that trains must also harvest its rows.
    row_seconds = (time.perf_counter() - began) / _MEASURED_ROWS if train.stream else 0.0
    require_width(parent, source.plan)
    with suppress(UserError):  # the model on which the loss recovered is measured stays in memory
        source.texts(train.device)
    load = load_of(train, source.plan, device, source.pool_bytes)
    free = free_for(train, device)
    found = needs.rooms(load, free)
    fits = all(room.fits for room in found)
    seconds = measure_steps(train, source, device, context) if fits and config.measure else []
    step = None
    if seconds:
        step = sorted(seconds)[len(seconds) // 2] + train.batch * row_seconds
    return told(train, load, free, device, step, len(seconds))


def told(
    train: TrainConfig, load: Load, free: Free, device: torch.device, step: float | None, steps: int
) -> PreflightResult:
    """Return the answer: what is needed and what there is; `step` is the seconds of one step."""
    found = needs.rooms(load, free)
    fits = all(room.fits for room in found)
    return PreflightResult(
        fits=fits,
        problem=needs.problem(found),
        would_fit=[] if fits else needs.would_fit(load, free),
        device=str(device),
        precision=str(resolve_precision(train.precision, device)).removeprefix("torch."),
        rooms=found,
        largest_features=needs.largest_features(load, free),
        step_seconds=step,
        steps_measured=steps,
        seconds_per_million_tokens=None if step is None else step * 1e6 / train.batch,
        seconds=None if step is None else step * math.ceil(train.tokens / train.batch),
    )


def plan_of(config: TrainConfig) -> TargetPlan:
    """Return what a run reads and reconstructs. Raises UserError where that is not there."""
    if config.stream is not None:
        harvest = msgspec.structs.replace(config.stream, device=config.device, tokens=config.tokens)
        return resolve_target(config, store_info(plan_harvest(harvest)))
    project = Project.open(config.project)
    names = [config.activations, *config.other_activations]
    for name in names:
        existing("activation store", name, project.stores())
    infos = [ActivationStore.open(project.store_path(name)).info for name in names]
    return resolve_target(config, infos[0], infos[1:])


def _open_source(config: TrainConfig, context: JobContext) -> Source:
    if config.stream is None:
        return StoreSource(config, None)
    return StreamSource(
        config,
        None,
        context,
        held_out_rows=_MEASURED_ROWS // 2,
        measured_rows=_MEASURED_ROWS // 2,
    )


def measure_steps(
    config: TrainConfig,
    source: Source,
    device: torch.device,
    context: JobContext,
    view: LayerView | None = None,
) -> list[float]:
    """Return how many seconds each of a few steps took, on the run's own rows.

    `view` is the part of the rows that it learns from, where that is not all.
    """
    folder = Project.open(config.project).dictionary_path(config.name)
    recipe = recipe_of(config)
    rows = view or source
    start = opened_start(config, rows.plan, rows.sides)
    state = begin_state(PlannedRun(config, folder, recipe, None), rows, device, start)
    total = (_WARM_UP_STEPS + _STEPS) * config.batch
    batches = iter(
        Batches(
            source.feed(), source.sides, batch=config.batch, start=0, total=total, device=device,
            while_waiting=context.check_cancelled,
        )
    )  # fmt: skip
    seconds: list[float] = []
    number = 0
    with closing(batches):
        began = time.perf_counter()
        for number, batch in enumerate(batches):
            context.progress(number, _WARM_UP_STEPS + _STEPS, "steps")
            context.check_cancelled()
            train_step(state, recipe, batch if view is None else view.select(batch))
            synchronise(device)
            ended = time.perf_counter()
            if number >= _WARM_UP_STEPS:
                seconds.append(ended - began)
            began = ended
            if sum(seconds) > _SECONDS:
                break
    context.progress(number + 1, number + 1, "steps")
    return seconds
