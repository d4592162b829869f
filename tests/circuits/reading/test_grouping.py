"""Groups are the features with one profile, and links exchanged at random give none."""

from __future__ import annotations

import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.graph_file import FEATURE, Array, Graph
from sae_desktop.circuits.reading.grouping import group_nodes

KINDS, EACH = 3, 5


def _planted(noise: float = 0.15) -> tuple[Graph, Array]:
    """A graph of features of three kinds in layers 1 and 2, and the kind of each (N,), else −1.

    Each kind is fed by its own features of layer 0, and feeds its own of layer 3.
    """
    graph = made_graph(layers=4, features=160, inputs=2, seed=3)
    rng = np.random.default_rng(0)
    of_layer = [
        np.flatnonzero((graph.kind == FEATURE) & (graph.layer == layer)) for layer in range(4)
    ]
    kinds = np.full(graph.nodes, -1)
    found: list[list[tuple[int, float]]] = [[] for _ in range(graph.nodes)]
    for node in of_layer[0]:
        found[node].append((int(rng.integers(0, 9)), 1.0))
    middle = np.concatenate([of_layer[1][: 3 * KINDS], of_layer[2][: 2 * KINDS]])
    for number, node in enumerate(middle):
        kind = number % KINDS
        kinds[node] = kind
        for source in of_layer[0][kind * 6 : kind * 6 + 6]:
            found[node].append((int(source), 1 + noise * rng.normal()))
    for kind in range(KINDS):
        for target in of_layer[3][kind * 6 : kind * 6 + 6]:
            for source in middle[kind::KINDS]:
                found[target].append((int(source), 1 + noise * rng.normal()))
    for node in np.flatnonzero(graph.layer == 4):
        for source in of_layer[3]:
            found[node].append((int(source), float(rng.normal())))
    arrays = graph.arrays | {
        "edges/offsets": np.concatenate([[0], np.cumsum([len(f) for f in found])]),
        "edges/sources": np.array([s for f in found for s, _ in f], np.int32),
        "edges/weights": np.array([w for f in found for _, w in f], np.float32),
    }
    return Graph(graph.info, arrays), kinds


def test_groups__are_the_planted_kinds() -> None:
    graph, kinds = _planted()
    told: list[int] = []
    grouping = group_nodes(graph, nodes=1.0, repeats=10, step=told.append)
    assert told == list(range(1, 21))
    groups = [g for g in grouping.groups if (kinds[g.nodes] >= 0).any()]
    assert sorted(sorted(g.nodes.tolist()) for g in groups) == sorted(
        np.flatnonzero(kinds == kind).tolist() for kind in range(KINDS)
    )
    assert min(g.stability for g in groups) > 0.95
    assert grouping.shuffled_stability < 0.7
    sizes = [g.influence for g in grouping.groups]
    assert sizes == sorted(sizes, reverse=True)


def test_groups__of_random_links_are_few_and_unstable() -> None:
    grouping = group_nodes(made_graph(features=120, inputs=8, seed=1), nodes=1.0, repeats=10)
    assert len(grouping.considered) > 50
    assert sum(len(g.nodes) for g in grouping.groups) < 0.1 * len(grouping.considered)


@pytest.mark.parametrize("features", [0, 2])
def test_groups__of_next_to_no_features_are_none(features: int) -> None:
    grouping = group_nodes(made_graph(features=features), nodes=1.0, repeats=2)
    assert grouping.groups == []
