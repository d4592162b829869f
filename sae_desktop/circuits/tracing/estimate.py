"""The job `estimate_trace`: what a trace takes, before it is started."""

from __future__ import annotations

import time

from sae_desktop.circuits.config import EstimateTraceConfig, TraceEstimate
from sae_desktop.circuits.prompt import special_places
from sae_desktop.circuits.tracing.job import Tracer
from sae_desktop.circuits.tracing.needs import (
    GUESSED_L0,
    Needs,
    Shape,
    needs_of,
    problem_of,
    shape_of,
)
from sae_desktop.circuits.tracing.opened import open_set, prompt_of
from sae_desktop.circuits.tracing.rows import LOGIT_ROW, Rows
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.memory import free_device_memory
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.project import Project
from sae_desktop.storage.faults import free_bytes

_TRIED = 4
"""Targets at once whose inputs are found, beside one alone, to see how long it takes."""
_DEPTH = 0.6
"""How far back a feature's inputs go, of a logit's: most stand in the middle layers."""


def estimate_trace(config: EstimateTraceConfig, context: JobContext) -> TraceEstimate:
    """Read the prompt and say what its trace takes.

    Where memory does not suffice even for reading, what it takes is told from the sizes of model
    and prompt alone. Raises UserError as `trace`, but for memory and disk.
    """
    project = Project.open(config.project)
    folder = project.graph_path("estimate").parent
    opened = open_set(project, config.set, config.device)
    prompt = prompt_of(opened, config.prompt, chat=config.chat)
    context.check_cancelled()
    shape = shape_of(opened.lm, len(prompt.ids))
    free, disk = free_device_memory(opened.lm.device), free_bytes(folder)
    guessed = GUESSED_L0 * len(prompt.ids) * len(opened.members.layers)
    needs = needs_of(shape, config, guessed, config.most_logits, free)

    def told(needs: Needs, tracer: Tracer | None, seconds: float) -> TraceEstimate:
        names = opened.lm.token_bytes()
        active = guessed if tracer is None else tracer.active
        features = min(config.most_features or active, active)
        ids = [] if tracer is None else tracer.targets.tokens.tolist()
        against = None if tracer is None else tracer.targets.against
        shown = ids + ([] if against is None else against.tolist())
        problem = problem_of(needs, free, disk, shape)
        return TraceEstimate(
            tokens=prompt.texts, specials=prompt.specials,
            special_tokens=special_places(opened.lm, prompt), active_features=active,
            feature_nodes=features,
            nodes=features + len(ids) + shape.tokens * (shape.layers + 1)
            - prompt.specials * shape.layers,
            targets=tuple(token_text(names[token]) for token in shown),
            probabilities=() if tracer is None else tuple(tracer.targets.probabilities.tolist()),
            memory_bytes=needs.memory_bytes, free_memory_bytes=free,
            disk_bytes=needs.disk_bytes, free_disk_bytes=disk, seconds=seconds,
            fits=not problem, problem=problem,
        )  # fmt: skip

    if problem_of(needs, free, disk, shape):
        return told(needs, None, _guessed_seconds(shape, guessed))
    began = time.monotonic()
    tracer = Tracer(opened, prompt, config)
    reading = time.monotonic() - began
    pace = Pace(tracer, context)
    seconds = reading + pace.seconds(len(tracer.targets.tokens))
    seconds += _DEPTH * pace.seconds(tracer.wanted)
    return told(tracer.needs, tracer, seconds)


class Pace:
    """How long inputs take to find, by how many targets at once: each batch, and each target."""

    def __init__(self, tracer: Tracer, context: JobContext) -> None:
        self._tracer, self._context = tracer, context
        self._batch = tracer.needs.batch
        tried = min(_TRIED, self._batch)
        self._first = self.tried(1)
        further = (self.tried(tried) - self._first) / (tried - 1) if tried > 1 else self._first
        self._further = max(0.0, further)

    def tried(self, targets: int) -> float:
        """Return the seconds in which inputs of targets are found, and the largest kept."""
        tracer = self._tracer
        directions = tracer.directions()[:1].expand(targets, -1)
        began = time.monotonic()
        target = tracer.attribution.of_logits(directions)
        edges = tracer.attribution.edges(target, self._context.check_cancelled)
        Rows(tracer.needs.row_entries).add([LOGIT_ROW] * targets, edges)
        return time.monotonic() - began

    def seconds(self, targets: int) -> float:
        """Return what so many targets take, in batches."""
        batches = -(-targets // self._batch)
        return batches * self._first + (targets - batches) * self._further


_OPERATIONS = 5e10
"""A second, of a processor."""


def _guessed_seconds(shape: Shape, active: int) -> float:
    of_token = 2 * shape.width * (2 * shape.width + shape.heads * shape.tokens)
    return 2 * shape.layers * shape.tokens * of_token * active * _DEPTH / _OPERATIONS
