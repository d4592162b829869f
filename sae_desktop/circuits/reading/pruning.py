"""Influence, pruning and scores of a graph. Free of torch and Qt: a slider runs this.

A is the matrix of the edges' sizes, each row (the inputs of a node) divided by its sum; w has
the probabilities of the logit nodes, divided by their sum. Influence is w(A + A² + …)
(Ameisen et al. 2025, “Circuit Tracing”, Methods). Every edge leads to a later layer, so the sum
is found in one pass from the last layer to the first.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from sae_desktop.circuits.reading.graph_file import EMBEDDING, ERROR, FEATURE, LOGIT, Array, Graph
from sae_desktop.circuits.reading.graph_terms import EDGE_THRESHOLD, NODE_THRESHOLD


class Scores(NamedTuple):
    """How far a graph explains by features, without the errors of their reconstruction."""

    replacement: float
    """Of the influence of embeddings and errors, the embeddings' share."""
    completeness: float
    """Of the inputs of all nodes, weighted by their influence, those that are no errors."""


class Pruned(NamedTuple):
    nodes: Array
    """(N,) bool."""
    edges: Array
    """(E,) bool."""


def target_weights(graph: Graph) -> Array:
    """Return w (N,), float64: what the influence is on."""
    weights = np.where(graph.kind == LOGIT, np.maximum(graph.probability, 0), 0.0)
    total = weights.sum()
    if not total > 0:
        weights = (graph.kind == LOGIT).astype(np.float64)
        total = max(weights.sum(), 1.0)
    return np.asarray(weights / total, np.float64)


def influence(graph: Graph, edges: Array | None = None) -> Array:
    """Return the influence of each node on the targets, (N,) float64; the targets' own is not in.

    `edges` (E,) bool: only these count.
    """
    return _influence(graph, _sizes(graph, edges), target_weights(graph))


def scores(graph: Graph) -> Scores:
    """Return the replacement and the completeness score of a graph, 0 to 1 each.

    A graph without any influence on its targets has the scores 0.
    """
    sizes, weights = _sizes(graph, None), target_weights(graph)
    found = _influence(graph, sizes, weights)
    errors = graph.kind == ERROR
    token_share = found[graph.kind == EMBEDDING].sum()
    error_share = found[errors].sum()
    total = token_share + error_share
    of_errors = _sum_by_target(graph, np.where(errors[graph.sources], sizes, 0.0))
    output = found + weights
    whole = output.sum()
    return Scores(
        float(token_share / total) if total > 0 else 0.0,
        float(((1 - of_errors) * output).sum() / whole) if total > 0 and whole > 0 else 0.0,
    )


def pruned(graph: Graph, nodes: float = NODE_THRESHOLD, edges: float = EDGE_THRESHOLD) -> Pruned:
    """Return which nodes have together `nodes` of the influence, which edges `edges` of theirs.

    Embeddings and logits always stay; a feature or error without an edge that leaves it, and a
    feature without one that comes in, goes.
    """
    fixed = (graph.kind == EMBEDDING) | (graph.kind == LOGIT)
    features = graph.kind == FEATURE
    kept = _largest(influence(graph), nodes) | fixed
    targets = graph.targets()
    among = kept[graph.sources] & kept[targets]
    kept_edges = np.zeros(graph.edges, bool)
    sizes, weights = _sizes(graph, among), target_weights(graph)
    strengths = sizes * (_influence(graph, sizes, weights) + weights)[targets]
    kept_edges[among] = _largest(strengths[among], edges)
    while True:
        leaving = np.zeros(graph.nodes, bool)
        leaving[graph.sources[kept_edges]] = True
        entering = np.zeros(graph.nodes, bool)
        entering[targets[kept_edges]] = True
        still = kept & (leaving | fixed) & (entering | ~features)
        if np.array_equal(still, kept):
            return Pruned(kept, kept_edges)
        kept = still
        kept_edges &= kept[graph.sources] & kept[targets]


def _largest(values: Array, share: float) -> Array:
    """Return which values are, from the largest on, together `share` of the sum."""
    if not len(values):
        return np.zeros(0, bool)
    ordered = np.sort(values)[::-1]
    sums = np.cumsum(ordered)
    if not sums[-1] > 0:
        return np.zeros(len(values), bool)
    place = min(int(np.searchsorted(sums / sums[-1], share)), len(values) - 1)
    return np.asarray((values >= ordered[place]) & (values > 0))


def _sizes(graph: Graph, edges: Array | None) -> Array:
    """Return the entries of A (E,), float64; 0 for edges that do not count."""
    sizes = np.abs(graph.weights.astype(np.float64))
    if edges is not None:
        sizes[~edges] = 0.0
    sums = _sum_by_target(graph, sizes)
    return np.asarray(sizes / np.repeat(np.where(sums > 0, sums, 1.0), np.diff(graph.offsets)))


def _sum_by_target(graph: Graph, values: Array) -> Array:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(sums[graph.offsets[1:]] - sums[graph.offsets[:-1]])


def _influence(graph: Graph, sizes: Array, weights: Array) -> Array:
    found = np.zeros(graph.nodes)
    bounds = [0, *(np.flatnonzero(np.diff(graph.layer.astype(np.int32))) + 1), graph.nodes]
    for first, last in reversed(list(itertools.pairwise(bounds))):
        begin, end = int(graph.offsets[first]), int(graph.offsets[last])
        if begin == end:
            continue
        reach = np.repeat((found + weights)[first:last], np.diff(graph.offsets[first : last + 1]))
        found += np.bincount(
            graph.sources[begin:end], reach * sizes[begin:end], minlength=graph.nodes
        )
    return found
