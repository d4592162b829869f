"""How many tokens to put into a forward pass: the fastest batch that fits, found by trying."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from sae_desktop.activations.harvest_groups import Group, make_group, window_groups
from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.activations.harvest_rows import RowReader
from sae_desktop.corpus.windows import ReadingPoint, Window, empty_corpus
from sae_desktop.devices.abilities import give_back_cache
from sae_desktop.devices.out_of_memory import is_out_of_memory
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.memory import free_device_memory

_SMALLEST = 512
_LARGEST = {"cpu": 2**14, "mps": 2**16, "cuda": 2**18}
"""Tokens. On a CPU speed is flat from a few thousand on, and a cancel waits for the batch."""
_SECONDS = {"cpu": 2.0, "mps": 3.0, "cuda": 3.0}
"""After which no larger batch is tried."""
_GAIN = 1.03
"""A larger batch must be this many times as fast to be preferred."""
_WORKING_COPIES = 16
"""Values of the width of the stream that a layer holds at once: stream, norms, attention, MLP."""
_MEMORY_SHARE = 0.5


@dataclass(frozen=True)
class FoundBatch:
    tokens: int
    tokens_per_second: float
    """Of the truncated forward pass, tokens of the padding not counted."""


def find_batch(plan: HarvestPlan, context: JobContext) -> FoundBatch:
    """Run the truncated forward pass on the corpus's first windows, in larger and larger batches.

    A size that is given is only timed. Raises UserError for an empty corpus, and
    torch.OutOfMemoryError where one window alone does not fit.
    """
    given = plan.config.batch_tokens
    found = _first_windows(plan, given or _SMALLEST)
    longest = max(len(window.ids) for window in found)
    size = given or max(_SMALLEST, longest)
    _timed(plan, found[:1], context)  # the first pass also allocates
    began = time.monotonic()
    best = FoundBatch(size, _timed(plan.with_batch(size), _repeated(found, size), context))
    largest, seconds = _LARGEST[plan.lm.device.type], _SECONDS[plan.lm.device.type]
    while not given and time.monotonic() - began < seconds:
        size *= 2
        free = free_device_memory(plan.lm.device)
        if size > largest or working_bytes(size, plan.lm.width, plan.widths) > _MEMORY_SHARE * free:
            break
        speed = _timed_if_it_fits(plan.with_batch(size), _repeated(found, size), context)
        if speed is None:
            give_back_cache(plan.lm.device)
            break
        if speed < _GAIN * best.tokens_per_second:
            break
        best = FoundBatch(size, speed)
    return best


def working_bytes(batch_tokens: int, width: int, kept: Sequence[int]) -> int:
    """Return about how much memory a forward pass of a given number of tokens takes beside the
    model, whose stream has a width; `kept` are the numbers per token that are kept.
    """
    return 4 * batch_tokens * (width * _WORKING_COPIES + sum(kept))


def _first_windows(plan: HarvestPlan, tokens: int) -> list[Window]:
    found: list[Window] = []
    for group in window_groups(plan.with_batch(tokens), ReadingPoint(), tokens):
        found += group.windows
    if not found:
        raise empty_corpus(plan.windows.settings.corpus)
    return found


def _repeated(found: list[Window], tokens: int) -> list[Window]:
    chosen: list[Window] = []
    for window in cycle(found):
        chosen.append(window)
        tokens -= len(window.ids)
        if tokens <= 0:
            return chosen
    raise AssertionError("a cycle does not end")


def _timed_if_it_fits(plan: HarvestPlan, chosen: list[Window], context: JobContext) -> float | None:
    try:
        return _timed(plan, chosen, context)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def _timed(plan: HarvestPlan, chosen: list[Window], context: JobContext) -> float:
    """Return the tokens per second of reading these windows."""
    group: Group = make_group(plan, chosen)
    began = time.monotonic()
    pending = RowReader(plan).read(group, context.check_cancelled)
    for _, parts in pending.parts:
        for part in parts.values():
            part.finished()
    return sum(len(window.ids) for window in chosen) / (time.monotonic() - began)
