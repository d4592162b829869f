"""How long a harvest will take and how much space it needs, measured on its own first windows."""

from __future__ import annotations

from sae_desktop.activations.batch_size import find_batch, working_bytes
from sae_desktop.activations.config import EstimateHarvestConfig, HarvestEstimate
from sae_desktop.activations.harvest_plan import store_bytes
from sae_desktop.activations.picture_plan import PicturePlan, plan_any
from sae_desktop.activations.store import ActivationStore, segment_paths
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.memory import free_device_memory
from sae_desktop.project import Project
from sae_desktop.storage.faults import free_bytes


def estimate_harvest(config: EstimateHarvestConfig, context: JobContext) -> HarvestEstimate:
    """Run the truncated forward pass for a second or two and size what is to be stored.

    Of a store that is there already, only what is missing is counted.
    Raises UserError for settings that a harvest would refuse.
    """
    harvest = config.harvest
    folder = Project.open(harvest.project).store_path(harvest.name)
    plan = plan_any(harvest, context)
    there = ActivationStore.open(folder).rows if segment_paths(folder) else 0
    left = max(1, harvest.tokens - there)
    capacity = plan.capacity(left)
    found, room, rows, pictures = find_batch(plan, context), plan.windows.room, capacity.rows, None
    if isinstance(plan, PicturePlan):
        seen = plan.survey()
        pictures = seen.told()
        rows = min(left, max(1, seen.tokens - there)) if seen.complete else left
    working = working_bytes(found.tokens, plan.lm.width, plan.widths)
    parameters = sum(p.numel() * p.element_size() for p in plan.lm.model.parameters())
    return HarvestEstimate(
        bytes=store_bytes(plan, capacity),
        free_bytes=free_bytes(folder),
        # Windows that repeat tokens are read whole, and fewer of their rows are kept.
        seconds=rows * room / (room - harvest.overlap) / found.tokens_per_second,
        tokens_per_second=found.tokens_per_second,
        memory_bytes=parameters + working + plan.picture_bytes(found.tokens),
        free_memory_bytes=free_device_memory(plan.lm.device) + parameters,
        batch_tokens=found.tokens,
        pictures=pictures,
    )
