"""What the training of a set takes of memory and disk, and whether it is there."""

from __future__ import annotations

from dataclasses import replace

import torch

from sae_desktop.activations.batch_size import working_bytes
from sae_desktop.activations.harvest_plan import DEFAULT_BATCH_TOKENS, group_batches
from sae_desktop.activations.layout import read_dtype
from sae_desktop.devices.abilities import free_of_its_own
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage.faults import folder_bytes, free_bytes
from sae_desktop.storage.memory import free_memory
from sae_desktop.training.planning import needs
from sae_desktop.training.planning.capacity import load_of
from sae_desktop.training.planning.needs import Free, Load
from sae_desktop.training.rows.streaming import RowBudget, plan_width, pool_rows
from sae_desktop.training.rows.targets import TargetPlan
from sae_desktop.training.sets.set_plan import SetPlan

BUDGET = RowBudget(pool=2**30, measured=2**29, held_out=2**28, group=2**28)
"""Rows of all layers are wide: these bound their bytes, and pools are larger than those of one
site, so that a batch is still of many texts."""
_GROUP_COPIES = 3
"""Of the rows of a group: as they come, sorted, and those that are not massive."""
_MEASURED_COPIES = 2
"""Of the rows measured at the start: all of them, and those that are not massive."""
_TEXT_BYTES = 250_000_000
"""What reading, cutting and comparing the texts of a stream takes (`benchmarks/set_memory`)."""


def set_load(
    plan: SetPlan, rows: TargetPlan, device: torch.device, *, model_bytes: int = 0
) -> Load:
    """Return what decides the needs of a set. `rows` is `plan.resolve` of its store or stream."""
    read_ahead = _rows_in_memory(plan, plan_width(rows))
    if plan.across:
        load = load_of(plan.members[0], rows, device, read_ahead)
    else:
        one = TargetPlan(rows.target, rows.inputs[:1], rows.outputs[:1])
        load = replace(load_of(plan.members[0], one, device, read_ahead), members=len(plan.members))
    return replace(load, model_bytes=model_bytes)


def set_free(plan: SetPlan, device: torch.device) -> Free:
    """Return the room there is for a set; what is there of it already is written over."""
    folder = Project.open(plan.config.project).set_path(plan.config.name)
    there = folder_bytes(folder) if folder.exists() else 0
    disk = free_bytes(folder) + there
    return Free(memory=free_memory(), disk=disk, gpu=free_of_its_own(device))


def refuse_what_cannot_fit(plan: SetPlan, rows: TargetPlan, device: torch.device) -> None:
    """Raise UserError that says what is needed, what there is and what would fit."""
    load, free = set_load(plan, rows, device), set_free(plan, device)
    found = needs.rooms(load, free)
    if all(room.fits for room in found):
        return
    ways = needs.would_fit(load, free)
    if len(plan.layers) > 1:
        ways.append("fewer layers")
    raise UserError(
        needs.problem(found),
        kept="Nothing was written.",
        next_step=f"This would fit: {'; or '.join(ways)}." if ways else "Free some space.",
    )


def _rows_in_memory(plan: SetPlan, width: int) -> int:
    """Return the bytes of streamed rows that are in memory at once, of a given width."""
    stream = plan.rows.stream
    if stream is None:
        return 0
    row = read_dtype(stream.dtype).itemsize * width
    tokens = stream.batch_tokens or DEFAULT_BATCH_TOKENS
    group = tokens * group_batches(tokens * row, BUDGET.group)
    pool = pool_rows(plan.rows, row, BUDGET.pool)
    layer = width // (2 * len(plan.layers))
    reading = working_bytes(tokens, layer, (layer,))
    held_out, measured = BUDGET.rows(row)
    rows = 2 * pool + held_out + _MEASURED_COPIES * measured + _GROUP_COPIES * group
    return row * rows + reading + _TEXT_BYTES
