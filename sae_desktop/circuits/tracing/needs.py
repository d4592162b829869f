"""What tracing a prompt takes: memory, disk, and nodes at once.

T tokens, D width, L layers, H heads, S sources, B targets at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sae_desktop.circuits.config import TraceSettings
from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.resolve import text_config
from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.memory import limit_text

_PASS_VECTORS = 13
"""Vectors of width D kept for each token and layer: what autograd keeps, reads, writes, errors."""
_BATCH_VECTORS = 3
"""The same for each target of a batch, of one layer at a time."""
_ROW_COPIES = 6
"""Of a batch's rows while their largest entries are found: sizes, values, their 64-bit order."""
_BLOCK_COPIES, _BLOCK_NUMBERS = 4, 2**24
"""Of the vectors that the features of a layer write, of which so many numbers are made at once."""
_BATCH_SHARE = 0.25
_LARGEST_BATCH = 64
_BATCH_BYTES = 768 * 2**20
"""More at once is no faster."""
_EDGE_BYTES = 8
_EDGE_COPIES = 4
"""Of what edges between nodes there could be, while a graph is put together of the rows."""
_NODE_BYTES = 48
_ROOM = 96 * 2**20
GUESSED_L0 = 64
"""Features that fire per token and layer, before it is known."""


class Shape(NamedTuple):
    """What the needs depend on."""

    tokens: int
    layers: int
    width: int
    heads: int
    vocabulary: int
    bytes: int
    """Of a number."""


class Needs(NamedTuple):
    memory_bytes: int
    """Beside model and set."""
    disk_bytes: int
    batch: int
    row_entries: int
    """Kept of a row."""


def shape_of(lm: Any, tokens: int) -> Shape:
    """Return what a model's needs depend on, for a prompt of so many tokens."""
    config = text_config(lm.model)
    weight = lm.model.get_input_embeddings().weight
    return Shape(
        tokens,
        int(config.num_hidden_layers),
        int(config.hidden_size),
        int(config.num_attention_heads),
        int(weight.shape[0]),
        max(int(weight.element_size()), 2),
    )


def needs_of(
    shape: Shape, settings: TraceSettings, active: int, logits: int, free_bytes: int
) -> Needs:
    """Return what a trace takes where `active` features fire."""
    features = min(active, settings.most_features) if settings.most_features else active
    sources = active + shape.tokens * (shape.layers + 1)
    targets = features + logits
    entries = min(sources, max(1024, 2 * settings.most_edges // max(targets, 1)))
    pattern = shape.heads * shape.tokens**2 * shape.bytes
    kept = shape.layers * pattern + 3 * pattern
    kept += _PASS_VECTORS * shape.layers * shape.tokens * shape.width * shape.bytes
    kept += 2 * shape.vocabulary * shape.bytes
    of_target = _BATCH_VECTORS * shape.tokens * shape.width * shape.bytes
    of_target += _ROW_COPIES * sources * shape.bytes
    nodes = features + logits + shape.tokens * (shape.layers + 1)
    rows = _EDGE_BYTES * targets * entries
    edges = _EDGE_COPIES * _EDGE_BYTES * targets * min(entries, nodes)
    batch = settings.batch
    if not batch:
        room = min(_BATCH_BYTES, _BATCH_SHARE * max(free_bytes - kept - rows, 0))
        batch = max(1, min(_LARGEST_BATCH, int(room // of_target)))
    written = min(_BLOCK_NUMBERS, active // shape.layers * shape.width)
    at_once = _BLOCK_COPIES * written * shape.bytes + min(batch, targets) * of_target
    stored = min(targets * sources, settings.most_edges)
    return Needs(
        # A graph is put together when no batch is computed any more.
        int(kept + rows + max(at_once, edges) + _ROOM),
        stored * _EDGE_BYTES + nodes * _NODE_BYTES + 2**16,
        batch,
        entries,
    )


def problem_of(needs: Needs, free_bytes: int, free_disk: int, shape: Shape) -> str:
    """Return why a trace does not fit, and what to change; empty where it does."""
    if needs.memory_bytes > free_bytes:
        return (
            f"Tracing {shape.tokens:,} tokens takes {format_bytes(needs.memory_bytes)} of memory, "
            f"and {format_bytes(free_bytes)} are free. Use a shorter prompt or fewer feature "
            f"nodes, or close other programs.{limit_text()}"
        )
    if needs.disk_bytes > free_disk:
        return (
            f"The graph takes up to {format_bytes(needs.disk_bytes)} on the disk, and "
            f"{format_bytes(free_disk)} are free. Keep fewer edges, or free some space."
        )
    return ""


def require_fits(needs: Needs, free_bytes: int, free_disk: int, shape: Shape) -> None:
    """Return if a trace fits. Raises UserError that says what to change."""
    problem = problem_of(needs, free_bytes, free_disk, shape)
    if problem:
        what, _, next_step = problem.partition(". ")
        raise UserError(f"{what}.", kept="Nothing was traced.", next_step=next_step)
