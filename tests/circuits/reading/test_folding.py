"""Groups drawn as one node: what stands for what, and their edges summed."""

from __future__ import annotations

import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.folding import Folding, folded_edges, folded_links, folding
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, Graph
from sae_desktop.circuits.reading.node_links import input_sizes, links_of


@pytest.fixture(scope="module")
def graph() -> Graph:
    return made_graph(features=60, layers=5, inputs=20, seed=3)


def _all(graph: Graph) -> np.ndarray:
    return np.ones(graph.nodes, bool)


def test_group__is_drawn_at_its_most_influential_feature_that_is_shown(graph: Graph) -> None:
    features = np.flatnonzero(graph.kind == FEATURE)
    error = int(np.flatnonzero(graph.kind == ERROR)[0])
    members = [*features[:6].tolist(), error]
    largest = int(features[:6][np.argmax(graph.influence[features[:6]])])
    found = folding(graph, {2: members}, _all(graph))
    assert found.groups == {largest: 2}
    assert found.members[largest].tolist() == features[:6].tolist()  # errors are not put together
    drawn = found.drawn(_all(graph))
    assert np.flatnonzero(~drawn).tolist() == [n for n in features[:6].tolist() if n != largest]
    shown = _all(graph)
    shown[largest] = False
    assert folding(graph, {2: members}, shown).groups.keys() != {largest}
    shown[features[:6]] = False
    assert folding(graph, {2: members}, shown).groups == {}


def test_edges__between_the_same_two_are_summed_and_those_within_left_out(graph: Graph) -> None:
    features = np.flatnonzero(graph.kind == FEATURE)
    one, other = features[::2].tolist(), features[1::2].tolist()
    found = folding(graph, {0: one, 1: other}, _all(graph))
    first, second = (next(n for n, g in found.groups.items() if g == k) for k in (0, 1))
    targets, shown = graph.targets(), np.arange(graph.edges) % 3 != 0
    sources, ends, (weights,) = folded_edges(
        found, np.asarray(graph.sources), targets, shown, [graph.weights]
    )
    assert len(set(zip(sources.tolist(), ends.tolist(), strict=True))) == len(sources)
    assert (sources != ends).all()
    between = np.isin(graph.sources, one) & np.isin(targets, other) & shown
    assert between.sum() > 1
    at = np.flatnonzero((sources == first) & (ends == second))
    assert weights[at] == pytest.approx(graph.weights[between].sum(), rel=1e-5)
    within = found.lead[graph.sources] == found.lead[targets]
    assert within.any()
    assert weights.sum() == pytest.approx(graph.weights[shown & ~within].sum(), abs=1e-3)


def test_links__of_a_group_add_up_to_those_of_its_features(graph: Graph) -> None:
    features = np.flatnonzero(graph.kind == FEATURE)
    members = features[20:26].tolist()
    found = folding(graph, {0: members}, _all(graph))
    lead = next(iter(found.groups))
    targets, sizes = graph.targets(), input_sizes(graph, graph.targets())
    links = folded_links(graph, targets, sizes, found, lead, "inputs")
    single = [links_of(graph, targets, sizes, n, "inputs") for n in members]
    outside = [~np.isin(one.others, members) for one in single]
    total = sum(float(one.weights[kept].sum()) for one, kept in zip(single, outside, strict=True))
    assert float(links.weights.sum()) == pytest.approx(total, rel=1e-4)
    assert not set(links.others.tolist()) & set(members)
    place = int(np.argmax(np.abs(links.weights)))
    assert place == 0
    assert links.shares[0] == pytest.approx(abs(links.weights[0]) / sizes[members].sum())


def test_links__of_another_node_have_the_group_as_one_row(graph: Graph) -> None:
    features = np.flatnonzero(graph.kind == FEATURE)
    node = int(features[-1])
    sources = [int(n) for n in graph.inputs(node)[0] if graph.kind[n] == FEATURE]
    assert len(sources) > 1
    found = folding(graph, {0: sources}, _all(graph))
    lead = next(iter(found.groups))
    targets, sizes = graph.targets(), input_sizes(graph, graph.targets())
    rows = folded_links(graph, targets, sizes, found, node, "inputs")
    assert [n for n in rows.others.tolist() if n in sources] == [lead]
    plain = folded_links(
        graph, targets, sizes, Folding(np.arange(graph.nodes), {}, {}), node, "inputs"
    )
    raw = links_of(graph, targets, sizes, node, "inputs")
    assert plain.others.tolist() == raw.others.tolist()
    assert plain.shares == pytest.approx(raw.shares)
