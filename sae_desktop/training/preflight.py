"""The job `preflight`, and what `train` asks before it begins: does it fit, how long does it take.

Needs are computed from the weights that the very architecture has (`needs`) and compared with
what the machine has free. Time is that of a few real steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.architectures import Architecture, Batch, Setup
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project, existing
from sae_desktop.storage.faults import free_bytes
from sae_desktop.training import needs
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.metrics import FiringCounter
from sae_desktop.training.needs import Free, Load
from sae_desktop.training.observer import CURVE_POINTS, SNAPSHOTS
from sae_desktop.training.preflight_config import PreflightConfig, PreflightResult
from sae_desktop.training.target_architecture import architecture_of
from sae_desktop.training.targets import Part, TargetPlan, resolve_target
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)
"""Of a container: its limit, what it uses, and of that what."""
_WARM_UP_STEPS = 2
_STEPS = 10
_SECONDS = 3.0
"""After so long no further step is measured."""
_PROBE_FEATURES = (64, 128)


def preflight(config: PreflightConfig, context: JobContext) -> PreflightResult:
    """Tell what a training needs, what there is, and from a few of its steps how long it takes.

    Raises UserError for settings that a training would refuse for other reasons.
    """
    train = config.train
    device = resolve_device(train.device)
    plan = plan_of(train)
    load, free = load_of(train, plan, device), free_for(train, device)
    found = needs.rooms(load, free)
    fits = all(room.fits for room in found)
    seconds = measure_steps(train, plan, device, context) if fits and config.measure else []
    step = sorted(seconds)[len(seconds) // 2] if seconds else None
    return PreflightResult(
        fits=fits,
        problem=needs.problem(found),
        would_fit=[] if fits else needs.would_fit(load, free),
        device=str(device),
        precision=str(resolve_precision(train.precision, device)).removeprefix("torch."),
        rooms=found,
        largest_features=needs.largest_features(load, free),
        step_seconds=step,
        steps_measured=len(seconds),
        seconds_per_million_tokens=None if step is None else step * 1e6 / train.batch,
        seconds=None if step is None else step * math.ceil(train.tokens / train.batch),
    )


def refuse_what_cannot_fit(config: TrainConfig, plan: TargetPlan, device: torch.device) -> None:
    """Raise UserError that says what is needed, what there is and what would fit.

    Cheap: nothing of the dictionary's size is made.
    """
    load, free = load_of(config, plan, device), free_for(config, device)
    found = needs.rooms(load, free)
    if all(room.fits for room in found):
        return
    ways = needs.would_fit(load, free)
    raise UserError(
        needs.problem(found),
        kept="Nothing was written.",
        next_step=f"This would fit: {'; or '.join(ways)}." if ways else "Free some room.",
    )


def how_many_fit(configs: Sequence[TrainConfig]) -> int:
    """Return how many of the runs, from the first on, fit side by side; at least one.

    They read the same rows of the same sites.
    """
    device = resolve_device(configs[0].device)
    plan = plan_of(configs[0])
    loads = [load_of(config, plan, device) for config in configs]
    return needs.how_many_fit(loads, free_for(configs[0], device))


def plan_of(config: TrainConfig) -> TargetPlan:
    """Return what a run reads and reconstructs. Raises UserError where that is not there."""
    stores = sources_of(config)
    return resolve_target(config, *(store.info for store in stores))


def sources_of(config: TrainConfig) -> list[ActivationStore]:
    project = Project.open(config.project)
    names = [name for name in (config.activations, config.other_activations) if name]
    for name in names:
        existing("activation store", name, project.stores())
    return [ActivationStore.open(project.store_path(name)) for name in names]


def load_of(config: TrainConfig, plan: TargetPlan, device: torch.device) -> Load:
    """Return what decides the needs of a run."""
    sizes = [n * len(plan.outputs) for n in _PROBE_FEATURES]
    small, twice = (_probe(config, plan, features) for features in sizes)
    weights = [sum(p.numel() for p in a.parameters.values()) for a in (small, twice)]
    per_feature = (weights[1] - weights[0]) / (sizes[1] - sizes[0])
    steps = math.ceil(config.tokens / config.batch)
    return Load(
        weights_fixed=weights[0] - per_feature * sizes[0],
        weights_per_feature=per_feature,
        features=config.features,
        width=plan.width,
        out_width=plan.out_width,
        reconstructs_input=plan.reconstructs_input,
        batch=config.batch,
        pairs_per_row=config.k if "k" in small.settings else 0,
        groups=len(getattr(small, "group_sizes", (1,))),
        low_precision=resolve_precision(config.precision, device) != torch.float32,
        metric_rows=config.metric_rows,
        keep_checkpoints=config.keep_checkpoints,
        points=min(steps, CURVE_POINTS) + 2,
        snapshots=SNAPSHOTS + 2,
        layers=len(plan.outputs) if config.target == "cross_layer_transcoder" else 1,
    )


def _probe(config: TrainConfig, plan: TargetPlan, features: int) -> Architecture:
    """Return a small dictionary of the architecture, to count its weights."""
    setup = Setup(features=features, steps=2, k=1, **plan.setup_fields())
    return architecture_of(config)(setup, torch.Generator().manual_seed(0))


def free_for(config: TrainConfig, device: torch.device) -> Free:
    """Return the room there is for a run."""
    folder = Project.open(config.project).dictionary_path(config.name)
    # What an unfinished run of that name has written is written over.
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    gpu = _free_gpu_memory(device) if device.type == "cuda" else None
    return Free(memory=free_memory(), disk=free_bytes(folder) + there, gpu=gpu)


def free_memory() -> int:
    """Return the bytes of memory this process may still take, a container's limit included."""
    free = int(psutil.virtual_memory().available)
    for limit, used, stat in _CGROUPS:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
            free = min(free, left + _given_back(Path(stat).read_text()))
        except (OSError, ValueError):  # no such limit: "max", or another system
            continue
    return max(0, free)


def _given_back(stat: str) -> int:
    """Return the bytes of cached files a container gives back where memory is short."""
    found = dict(line.split(maxsplit=1) for line in stat.splitlines())
    return int(found.get("inactive_file", 0)) + int(found.get("active_file", 0))


def _free_gpu_memory(device: torch.device) -> int:
    """Return the bytes free on a GPU, torch's own cache included."""
    free, _ = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + cached)


def measure_steps(
    config: TrainConfig, plan: TargetPlan, device: torch.device, context: JobContext
) -> list[float]:
    """Return how many seconds each of a few steps took, on rows of the run's own stores."""
    setup = Setup(
        features=config.features,
        steps=math.ceil(config.tokens / config.batch),
        k=config.k,
        precision=resolve_precision(config.precision, device),
        aux_weight=config.aux_weight,
        threshold_decay=config.threshold_decay,
        **plan.setup_fields(),
    )
    kind = architecture_of(config)
    batch = _batch(config, plan, device)
    architecture = kind(setup, torch.Generator().manual_seed(config.seed))
    architecture.initialise_from(batch)
    architecture.to(device)
    lr = config.lr or kind.default_lr(config.features, setup.steps)
    state = TrainerState(
        architecture, make_optimiser(architecture, lr), FiringCounter(config.features, device)
    )
    sparsity = kind.default_sparsity if config.sparsity is None else config.sparsity
    recipe = Recipe(setup.steps, lr, sparsity, dead_window=config.dead_window)
    seconds: list[float] = []
    for number in range(_WARM_UP_STEPS + _STEPS):
        context.check_cancelled()
        context.progress(number, _WARM_UP_STEPS + _STEPS, "steps")
        began = time.perf_counter()
        train_step(state, recipe, batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number >= _WARM_UP_STEPS:
            seconds.append(time.perf_counter() - began)
        if sum(seconds) > _SECONDS:
            break
    return seconds


def _batch(config: TrainConfig, plan: TargetPlan, device: torch.device) -> Batch:
    """Return a batch of rows of the run's stores, each part scaled to E‖x‖² = D."""
    stores = sources_of(config)
    rows = np.arange(config.batch) % min(store.rows for store in stores)

    def side(parts: Sequence[Part]) -> Tensor:
        values = []
        for part in parts:
            raw = torch.from_numpy(stores[part.source].gather(rows, part.site)).float()
            square = raw.square().sum(dim=1).mean().clamp_min(torch.finfo(torch.float32).tiny)
            values.append(raw * (part.width / square).sqrt())
        return torch.cat(values, dim=1).to(device)

    x_TI = side(plan.inputs)
    return Batch.of(x_TI) if plan.reconstructs_input else Batch(x_TI, side(plan.outputs))
