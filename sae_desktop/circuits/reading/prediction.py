"""What a graph predicts of a change of its nodes. Free of torch and Qt. N nodes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from sae_desktop.circuits.reading.graph_file import FEATURE, Array, Graph


def predicted_change(
    graph: Graph, fixed: Mapping[int, float], direct: Array | None = None
) -> Array:
    """Return by how much each node's activation changes, (N,) float64.

    `fixed`: node → the change it is given; of an embedding or an error as a share of it (−1: it
    is taken away). `direct` (N,): what else is added to each node's inputs. An edge carries the
    share by which its source changes; a feature changes by what its inputs do, but no further
    than to 0. What was not kept as an edge is taken to stay.
    """
    change, share = np.zeros(graph.nodes), np.zeros(graph.nodes)
    added = np.zeros(graph.nodes) if direct is None else np.asarray(direct, np.float64)
    activation = graph.activation.astype(np.float64)
    features = graph.kind == FEATURE
    given = np.array(sorted(fixed), np.int64)
    counts = np.diff(graph.offsets)
    bounds = [0, *(np.flatnonzero(np.diff(graph.layer.astype(np.int32))) + 1), graph.nodes]
    for first, last in itertools.pairwise(bounds):
        begin, end = int(graph.offsets[first]), int(graph.offsets[last])
        carried = graph.weights[begin:end] * share[graph.sources[begin:end]]
        rows = np.repeat(np.arange(last - first), counts[first:last])
        moved = added[first:last] + np.bincount(rows, carried, minlength=last - first)
        here = features[first:last]
        moved[here] = np.maximum(moved[here], -activation[first:last][here])
        for node in given[(given >= first) & (given < last)]:
            moved[node - first] = fixed[int(node)]
        change[first:last] = moved
        size = np.where(here, activation[first:last], 1.0)
        share[first:last] = moved / np.where(np.abs(size) > 0, size, 1.0)
    return change
