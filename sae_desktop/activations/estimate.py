"""How long a harvest will take and how much room it needs, measured on its own first windows."""

from __future__ import annotations

import time

from sae_desktop.activations.config import EstimateHarvestConfig, HarvestEstimate
from sae_desktop.activations.harvest_plan import measure_capacity, plan_harvest, store_bytes
from sae_desktop.activations.harvest_rows import RowReader, window_batches
from sae_desktop.corpus.windows import Place
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.storage.faults import free_bytes

MEASURE_SECONDS = 1.0
# Values of the width of the stream that a layer holds at once: stream, norms, attention, MLP.
_WORKING_COPIES = 16


def estimate_harvest(config: EstimateHarvestConfig, context: JobContext) -> HarvestEstimate:
    """Run the truncated forward pass for about a second and size the store.

    Raises UserError for settings that a harvest would refuse.
    """
    harvest = config.harvest
    folder = Project.open(harvest.project).store_path(harvest.name)
    plan = plan_harvest(harvest)
    capacity = measure_capacity(plan)
    reader = RowReader(plan)
    rows, started = 0, time.monotonic()
    for number, batch in enumerate(window_batches(plan, Place(), harvest.tokens)):
        context.check_cancelled()
        read = len(reader.read(batch).tokens)
        if number == 0:  # the first pass also allocates; it counts only if it is the only one
            first_rows, rows, after_first = read, 0, time.monotonic()
            continue
        rows += read
        if time.monotonic() - started > MEASURE_SECONDS:
            break
    ended = time.monotonic()
    speed = rows / (ended - after_first) if rows else first_rows / (ended - started)
    parameters = sum(p.numel() * p.element_size() for p in plan.lm.model.parameters())
    copies = _WORKING_COPIES + len(plan.sites) - 1
    working = harvest.batch * harvest.context_size * plan.lm.width * 4 * copies
    return HarvestEstimate(
        bytes=store_bytes(plan, capacity),
        free_bytes=free_bytes(folder),
        seconds=capacity.rows / speed,
        tokens_per_second=speed,
        memory_bytes=parameters + working,
    )
