"""Graphs on disk, their influence and pruning, held to dense sums."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from made_graphs import made_graph, save_made_graph

from sae_desktop.circuits.reading.graph_file import (
    EMBEDDING,
    ERROR,
    FEATURE,
    LOGIT,
    Graph,
    read_graph,
    read_graph_info,
)
from sae_desktop.circuits.reading.pruning import influence, pruned, scores, target_weights
from sae_desktop.errors import UserError


def dense(graph: Graph, edges: np.ndarray | None = None) -> np.ndarray:
    """A: rows are targets, each divided by the sum of its sizes."""
    matrix = np.zeros((graph.nodes, graph.nodes))
    for node in range(graph.nodes):
        for place in range(int(graph.offsets[node]), int(graph.offsets[node + 1])):
            if edges is None or edges[place]:
                matrix[node, graph.sources[place]] = abs(float(graph.weights[place]))
    sums = matrix.sum(1, keepdims=True)
    return matrix / np.where(sums > 0, sums, 1)


def test_graph__comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = save_made_graph(tmp_path / "g.h5", features=60, seed=3)
    read = read_graph(tmp_path / "g.h5")
    assert read.info == made.info == read_graph_info(tmp_path / "g.h5")
    assert read.arrays.keys() == made.arrays.keys()
    for name, values in made.arrays.items():
        assert np.array_equal(read.arrays[name], values), name
    sources, weights = read.inputs(read.nodes - 1)
    assert len(sources) == 12
    assert np.all(np.diff(np.abs(weights)) <= 0)


def test_influence__is_the_sum_of_all_paths() -> None:
    graph = made_graph(features=80, seed=1)
    weights, matrix = target_weights(graph), dense(graph)
    inverse = np.linalg.inv(np.eye(graph.nodes) - matrix)
    expected = weights @ (inverse - np.eye(graph.nodes))
    assert influence(graph) == pytest.approx(expected, abs=1e-12)
    errors, tokens = graph.kind == ERROR, graph.kind == EMBEDDING
    found = scores(graph)
    assert found.replacement == pytest.approx(
        expected[tokens].sum() / (expected[tokens].sum() + expected[errors].sum())
    )
    output = expected + weights
    assert found.completeness == pytest.approx(
        ((1 - matrix[:, errors].sum(1)) * output).sum() / output.sum()
    )
    assert 0 < found.replacement < found.completeness < 1


def test_pruning__keeps_the_largest_that_have_the_share() -> None:
    graph = made_graph(features=80, seed=2)
    kept = pruned(graph, 0.7, 0.9)
    targets = graph.targets()
    whole = influence(graph)
    inner = (graph.kind == FEATURE) | (graph.kind == ERROR)
    ordered = np.sort(whole)[::-1]
    least = ordered[np.searchsorted(np.cumsum(ordered) / ordered.sum(), 0.7)]
    chosen = (whole >= least) | ~inner
    assert not np.any(kept.nodes & ~chosen)
    among = chosen[graph.sources] & chosen[targets]
    matrix, weights = dense(graph, among), target_weights(graph)
    output = weights @ np.linalg.inv(np.eye(graph.nodes) - matrix)
    strength = (matrix * output[:, None])[targets, graph.sources] * among
    ordered = np.sort(strength)[::-1]
    least = ordered[np.searchsorted(np.cumsum(ordered) / ordered.sum(), 0.9)]
    assert not np.any(kept.edges & (strength < least - 1e-12))
    left, came = np.zeros(graph.nodes, bool), np.zeros(graph.nodes, bool)
    left[graph.sources[kept.edges]] = True
    came[targets[kept.edges]] = True
    assert np.all(left[kept.nodes & inner])
    assert np.all(came[kept.nodes & (graph.kind == FEATURE)])
    assert np.all(kept.nodes[(graph.kind == EMBEDDING) | (graph.kind == LOGIT)])
    assert 0 < kept.nodes[inner].sum() < inner.sum()
    everything = pruned(graph, 1.0, 1.0)
    assert kept.edges.sum() < everything.edges.sum()


@pytest.mark.parametrize(
    ("array", "place", "value", "words"),
    [
        ("edges/sources", 0, 10_000, "not there"),
        ("edges/offsets", -1, 3, "order of their targets"),
        ("nodes/layer", 0, 9, "sorted by layer"),
        ("nodes/kind", 0, 7, "unknown kind"),
        ("nodes/position", 0, -1, "beyond the prompt"),
    ],
)
def test_graph__that_is_damaged_is_refused(
    tmp_path: Path, array: str, place: int, value: int, words: str
) -> None:
    path = tmp_path / "g.h5"
    save_made_graph(path)
    with h5py.File(path, "r+") as file:
        file[array][place] = value
    with pytest.raises(UserError, match=words):
        read_graph(path)


def test_graph__without_influence_has_no_score() -> None:
    graph = made_graph(features=0, inputs=0)
    assert scores(graph) == (0.0, 0.0)
    assert not pruned(graph).edges.any()
