"""What a person does to a graph lies beside it, by keys that outlast another trace."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_graphs import made_graph, save_made_graph

from sae_desktop.circuits.reading.graph_file import Graph
from sae_desktop.circuits.reading.graph_view import (
    GraphView,
    ViewGroup,
    dissolved,
    folded_groups,
    grouped,
    groups_of,
    merged,
    node_key,
    nodes_by_key,
    read_view,
    renamed,
    view_path,
    without_nodes,
    write_view,
)
from sae_desktop.errors import UserError

A = ViewGroup(name="A", members=("feature.0.1.1", "feature.0.2.1"), stability=0.9)
B = ViewGroup(name="B", members=("feature.1.2.5",), stability=0.8)


def test_keys__name_every_node_once() -> None:
    graph = made_graph(features=30)
    keys = [node_key(graph, node) for node in range(graph.nodes)]
    assert nodes_by_key(graph) == {key: node for node, key in enumerate(keys)}
    assert len(set(keys)) == graph.nodes


def test_view__is_kept_beside_the_graph_and_a_damaged_one_is_a_fresh_one(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    save_made_graph(path, features=5)
    assert read_view(path) == GraphView()
    view = GraphView(nodes=0.5, pins=("feature.0.1.7",), groups=(A,), remark="why")
    write_view(path, view)
    assert read_view(path) == view
    assert view_path(path).name == "g.view.json"
    view_path(path).write_bytes(view_path(path).read_bytes()[:-9])
    assert read_view(path) == GraphView()
    view_path(path).write_bytes(msgspec.json.encode({"nodes": 7.0, "edges": -1}))
    assert (read_view(path).nodes, read_view(path).edges) == (1.0, 0.0)


def test_groups__come_from_the_graph_until_a_person_changes_them() -> None:
    made = made_graph(features=20)
    of = [-1] * made.nodes
    of[10] = of[11] = 0
    info = msgspec.structs.replace(made.info, groups=("capitals",), group_stabilities=(0.75,))
    graph = Graph(info, {**made.arrays, "groups/of": np.array(of, "i4")})
    (found,) = groups_of(graph, GraphView())
    assert (found.name, found.stability) == ("capitals", 0.75)
    assert found.members == (node_key(graph, 10), node_key(graph, 11))
    assert groups_of(graph, GraphView(groups=(A,))) == (A,)


def test_groups__are_made_merged_renamed_and_dissolved() -> None:
    three = grouped((A, B), "C", ["feature.0.2.1"])
    assert [g.members for g in three] == [("feature.0.1.1",), B.members, ("feature.0.2.1",)]
    assert [g.stability for g in three] == [None, 0.8, None]
    one = merged((A, B), [1, 0], "AB")
    assert one == (ViewGroup(name="AB", members=(*A.members, *B.members)),)
    assert renamed((A, B), 1, " b2 ")[1].name == "b2"
    assert dissolved((A, B), [0]) == (B,)
    assert without_nodes((A, B), B.members) == (A,)


@pytest.mark.parametrize("name", ["", "  ", "b", "B"])
def test_group__without_a_name_or_with_one_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        renamed((A, B), 0, name)
    with pytest.raises(UserError):
        grouped((A, B), name, ["feature.9.9.9"])


def test_collapsed_groups__stay_so_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    save_made_graph(path, features=5)
    groups = folded_groups((A, B), [1], True)
    assert [group.folded for group in groups] == [False, True]
    write_view(path, GraphView(groups=groups))
    assert read_view(path).groups == groups
    assert folded_groups(groups, [1], False) == (A, B)
