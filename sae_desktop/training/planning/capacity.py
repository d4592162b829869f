"""Whether a run fits on this machine: what it needs compared with what is free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from sae_desktop.devices.abilities import free_of_its_own
from sae_desktop.dictionary.architectures import Architecture, Setup
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage.faults import free_bytes
from sae_desktop.storage.memory import free_memory
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.observer import CURVE_POINTS, SNAPSHOTS
from sae_desktop.training.planning import needs
from sae_desktop.training.planning.needs import Free, Load
from sae_desktop.training.rows.target_architecture import architecture_of
from sae_desktop.training.rows.targets import TargetPlan

_PROBE_FEATURES = (64, 128)


def refuse_what_cannot_fit(
    config: TrainConfig,
    plan: TargetPlan,
    device: torch.device,
    *,
    pool_bytes: int = 0,
    processes: int = 1,
) -> None:
    """Raise UserError that says what is needed, what there is and what would fit.

    Cheap: nothing of the dictionary's size is made. `pool_bytes` are those of rows read ahead,
    `processes` those of this machine that each hold the dictionary.
    """
    load, free = load_of(config, plan, device, pool_bytes), free_for(config, device)
    free = replace(free, memory=free.memory // processes)
    found = needs.rooms(load, free)
    if all(room.fits for room in found):
        return
    ways = needs.would_fit(load, free)
    raise UserError(
        needs.problem(found),
        kept="Nothing was written.",
        next_step=f"This would fit: {'; or '.join(ways)}." if ways else "Free some space.",
    )


def how_many_fit(configs: Sequence[TrainConfig], plan: TargetPlan, device: torch.device) -> int:
    """Return how many runs on the same batches, from the first on, fit side by side; at least 1."""
    loads = [load_of(config, plan, device) for config in configs]
    return needs.how_many_fit(loads, free_for(configs[0], device))


def load_of(
    config: TrainConfig, plan: TargetPlan, device: torch.device, pool_bytes: int = 0
) -> Load:
    """Return what decides the needs of a run."""
    sizes = [n * len(plan.outputs) for n in _PROBE_FEATURES]
    small, twice = (_probe(config, plan, features) for features in sizes)
    weights = [sum(p.numel() for p in a.parameters.values()) for a in (small, twice)]
    per_feature = (weights[1] - weights[0]) / (sizes[1] - sizes[0])
    steps = math.ceil(config.tokens / config.batch)
    keeps_k = "k" in small.settings and not small.aims
    plain = type(small).gradients is Architecture.gradients
    return Load(
        weights_fixed=weights[0] - per_feature * sizes[0],
        weights_per_feature=per_feature,
        features=config.features,
        width=plan.width,
        out_width=plan.out_width,
        reconstructs_input=plan.reconstructs_input,
        batch=config.batch,
        pairs_per_row=config.k if keeps_k else 0,
        groups=len(getattr(small, "group_sizes", (1,))),
        low_precision=resolve_precision(config.precision, device) != torch.float32,
        # Where k features are kept, only the encoder's product is dense.
        low_share=0.0 if plain else 0.5 if keeps_k else 1.0,
        step_bytes=small.step_bytes,
        metric_rows=config.metric_rows,
        keep_checkpoints=config.keep_checkpoints,
        points=min(steps, CURVE_POINTS) + 2,
        snapshots=SNAPSHOTS + 2,
        layers=len(plan.outputs) if config.target == "cross_layer_transcoder" else 1,
        pool_bytes=pool_bytes,
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
    disk = free_bytes(folder) + there
    return Free(memory=free_memory(), disk=disk, gpu=free_of_its_own(device))
