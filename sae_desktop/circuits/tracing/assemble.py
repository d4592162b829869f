"""From rows to the arrays of a graph: which nodes it has, and which edges are kept."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, LOGIT, Array, Graph, GraphInfo
from sae_desktop.circuits.reading.pruning import influence, scores, target_weights
from sae_desktop.circuits.tracing.rows import Rows


class NodeValues(NamedTuple):
    """What is known of the nodes apart from edges: S sources, n logits."""

    kinds: Array
    layers: Array
    positions: Array
    ids: Array
    """(S,) each, as a graph's file has them."""
    activations: Array
    """(S,): of errors and embeddings their norms."""
    constants: Array
    """(S,), of features."""
    logit_tokens: Array
    logit_values: Array
    logit_constants: Array
    logit_chances: Array
    """(n,) each."""


class Kept(NamedTuple):
    graph: Graph
    gap: float
    """By how much inputs and constant of a node fail to add up to it, of the largest node."""


def assemble(
    info: GraphInfo,
    tokens: Array,
    values: NodeValues,
    rows: Rows,
    keep_edges: float,
    most_edges: int,
) -> Kept:
    """Return the graph of all embeddings, the errors there are, logits, and features with a row."""
    with_row = np.array([target for target in rows.targets if target >= 0], np.int64)
    chosen = (values.kinds != FEATURE) & ((values.kinds != ERROR) | (values.activations > 0))
    chosen[with_row] = True
    columns = np.flatnonzero(chosen)
    sources, logits = len(columns), len(values.logit_tokens)
    node_of = np.full(len(chosen), -1, np.int32)
    node_of[columns] = np.arange(sources, dtype=np.int32)
    targets = [
        sources + row if target < 0 else int(node_of[target])
        for row, target in enumerate(rows.targets)
    ]
    order = np.argsort(targets)
    found, weights, counts = _restricted(rows, node_of, order)
    offsets = np.zeros(sources + logits + 1, np.int64)
    offsets[np.array(targets)[order] + 1] = counts
    offsets = np.cumsum(offsets)
    totals = np.zeros(sources + logits)
    totals[targets] = rows.totals

    def nodes(of_sources: Array, of_logits: Array) -> Array:
        return np.concatenate([of_sources[columns], of_logits])

    layers = np.full(logits, info.layers)
    pre = np.where(values.kinds == FEATURE, values.activations, 0.0)
    arrays: dict[str, Array] = {
        "tokens": tokens,
        "nodes/kind": nodes(values.kinds, np.full(logits, LOGIT)),
        "nodes/layer": nodes(values.layers, layers).astype(np.int16),
        "nodes/position": nodes(values.positions, np.full(logits, len(tokens) - 1)),
        "nodes/feature": nodes(values.ids, values.logit_tokens),
        "nodes/activation": nodes(values.activations, values.logit_values),
        "nodes/pre": nodes(pre, values.logit_values),
        "nodes/constant": nodes(values.constants, values.logit_constants),
        "nodes/probability": nodes(np.zeros(len(chosen)), values.logit_chances),
        "nodes/influence": np.zeros(sources + logits),
        "edges/offsets": offsets,
        "edges/sources": found,
        "edges/weights": weights,
        "edges/rest": np.zeros(sources + logits),
    }
    whole = Graph(info, arrays)
    effect = influence(whole)
    measured = scores(whole)
    edges = _kept_edges(whole, effect + target_weights(whole), keep_edges, most_edges)
    per_target = _sums(np.where(edges, weights, 0).astype(np.float64), offsets)
    counts = _sums(edges.astype(np.int64), offsets)
    size = float(np.abs(weights, dtype=np.float64).sum())
    arrays |= {
        "nodes/influence": effect,
        "edges/offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "edges/sources": found[edges],
        "edges/weights": weights[edges],
        "edges/rest": totals - per_target,
    }
    info = msgspec.structs.replace(
        info,
        replacement_score=measured.replacement,
        completeness_score=measured.completeness,
        kept_nodes=len(with_row),
        kept_edges=float(np.abs(weights[edges], dtype=np.float64).sum() / size) if size else 1.0,
    )
    gap = totals + arrays["nodes/constant"] - arrays["nodes/pre"]
    read = np.isin(arrays["nodes/kind"], (FEATURE, LOGIT))
    largest = float(np.abs(arrays["nodes/pre"][read]).max(initial=0)) or 1.0
    return Kept(Graph(info, arrays), float(np.abs(gap[read]).max(initial=0)) / largest)


def _restricted(rows: Rows, node_of: Array, order: Array) -> tuple[Array, Array, Array]:
    """Return the edges between nodes, by target: sources, weights, how many of each target."""
    found, weights, counts = [], [], []
    for row in order:
        nodes = node_of[rows.columns[row]]
        inside = nodes >= 0
        found.append(nodes[inside])
        weights.append(rows.weights[row][inside])
        counts.append(len(found[-1]))
    none = (np.zeros(0, np.int32), np.zeros(0, np.float32))
    return (
        np.concatenate([*found, none[0]]),
        np.concatenate([*weights, none[1]]),
        np.array(counts, np.int64),
    )


def _kept_edges(graph: Graph, reach: Array, share: float, most: int) -> Array:
    """Return which edges are kept: of each node the largest, together `share` of them all.

    Where these are more than `most`, those of them that matter most to the targets.
    """
    sizes = np.abs(graph.weights.astype(np.float64))
    if not len(sizes):
        return np.zeros(0, bool)
    counts = np.diff(graph.offsets)
    sums = np.concatenate([[0.0], np.cumsum(sizes)])
    before = sums[:-1] - np.repeat(sums[graph.offsets[:-1]], counts)
    whole = np.repeat(sums[graph.offsets[1:]] - sums[graph.offsets[:-1]], counts)
    kept = (before < share * whole) & (sizes > 0)
    if int(kept.sum()) > most:
        strengths = np.where(kept, sizes / whole * np.repeat(reach, counts), -1.0)
        least = np.partition(strengths, len(strengths) - most)[len(strengths) - most]
        kept &= strengths >= least
    return np.asarray(kept)


def _sums(values: Array, offsets: Array) -> Array:
    sums = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(sums[offsets[1:]] - sums[offsets[:-1]])
