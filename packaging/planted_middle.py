"""The middle step of a planted circuit, as far as a graph can tell: what tells the last token."""

from __future__ import annotations

import numpy as np

from sae_desktop.circuits.opened_graph import OpenedGraph, Place
from sae_desktop.circuits.reading.graph_file import FEATURE, LOGIT, Array, Graph

_SHARE = 0.8
"""Of what speaks for the answer, the part of those features that are swapped."""


def middle_places(found: OpenedGraph, share: float = _SHARE) -> dict[Place, float]:
    """Return the features by which the last token is told its answer, the largest first.

    With each what it adds to the likeliest target, against the mean of the others, by all paths
    that enter the last token there; those returned have `share` of what speaks for the answer.
    """
    graph = found.graph
    told = _told(graph, len(graph.tokens) - 1)
    features = np.flatnonzero((graph.kind == FEATURE) & (told > 0))
    order = features[np.argsort(-told[features], kind="stable")]
    sums = np.cumsum(told[order])
    count = int(np.searchsorted(sums, share * sums[-1])) + 1 if len(order) else 0
    return {
        (int(graph.layer[n]), int(graph.position[n]), int(graph.feature[n])): float(told[n])
        for n in order[:count]
    }


def _told(graph: Graph, last: int) -> Array:
    """Return what each node adds to the answer by edges into the last token, (N,)."""
    targets, weights = graph.targets(), graph.weights.astype(np.float64)
    sizes = np.where(graph.kind == FEATURE, graph.activation, 1.0)
    logits = np.flatnonzero(graph.kind == LOGIT)
    slope = np.zeros(graph.nodes)
    slope[logits] = -1 / (len(logits) - 1)
    slope[logits[np.argmax(graph.activation[logits])]] = 1.0
    for node in np.argsort(-graph.layer, kind="stable"):
        if graph.kind[node] == FEATURE:
            mine = graph.sources == node
            slope[node] = (weights[mine] * slope[targets[mine]]).sum() / sizes[node]
    enters = (graph.position[targets] == last) & (graph.position[graph.sources] < last)
    passed = np.where(enters, weights * slope[targets], 0.0)
    return np.bincount(graph.sources, passed, minlength=graph.nodes)
