"""A node's inputs and outputs: what they share adds up, and they are sorted and filtered."""

from __future__ import annotations

import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.graph_file import FEATURE, Graph
from sae_desktop.circuits.reading.node_links import (
    Links,
    input_sizes,
    links_of,
    matching,
    sorted_links,
)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return made_graph(features=60, seed=3)


def _links(graph: Graph, node: int, side: str) -> Links:
    targets = graph.targets()
    return links_of(graph, targets, input_sizes(graph, targets), node, side)  # type: ignore[arg-type]


def test_inputs__have_shares_that_add_up_to_one_with_what_was_not_kept(graph: Graph) -> None:
    node = int(np.flatnonzero(graph.kind == FEATURE)[-1])
    links = _links(graph, node, "inputs")
    sources, weights = graph.inputs(node)
    assert sorted(links.others.tolist()) == sorted(sources.tolist())
    whole = np.abs(weights).sum() + abs(graph.rest[node]) + abs(graph.constant[node])
    left = (abs(graph.rest[node]) + abs(graph.constant[node])) / whole
    assert links.shares.sum() + left == pytest.approx(1.0, rel=1e-5)
    assert (np.diff(np.abs(links.weights)) <= 0).all()


def test_outputs__are_the_edges_of_others_and_share_in_their_inputs(graph: Graph) -> None:
    node = int(graph.sources[np.argmax(np.bincount(graph.sources)[graph.sources])])
    links = _links(graph, node, "outputs")
    assert len(links) == int((graph.sources == node).sum())
    for other, weight, share in zip(links.others, links.weights, links.shares, strict=True):
        back = _links(graph, int(other), "inputs")
        at = int(np.flatnonzero(back.others == node)[0])
        assert (back.weights[at], back.shares[at]) == (weight, share)


def test_links__are_sorted_by_any_column_and_filtered_by_all_words(graph: Graph) -> None:
    node = int(np.flatnonzero(graph.kind == FEATURE)[-1])
    links = _links(graph, node, "inputs")
    names = {int(n): f"name zq{i % 5}" for i, n in enumerate(links.others)}
    name = names.__getitem__
    up = sorted_links(graph, links, "weight", descending=False, name=name)
    assert (np.diff(up.weights) >= 0).all()
    told = [name(int(n)) for n in sorted_links(graph, links, "name", descending=False,
                                               name=name).others]  # fmt: skip
    assert told == sorted(told)
    found = matching(graph, links, "NAME zq1", frozenset(range(4)), name)
    assert {name(int(n)) for n in found.others} == {"name zq1"}
    only = matching(graph, links, "", frozenset({FEATURE}), name)
    assert set(graph.kind[only.others].tolist()) <= {FEATURE}
    assert len(only) == int((graph.kind[links.others] == FEATURE).sum())
