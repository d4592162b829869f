"""What commands call a graph's nodes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.graph_file import FEATURE, LOGIT, write_graph
from sae_desktop.cli import trace_text
from sae_desktop.cli.node_text import NodeTexts
from sae_desktop.errors import UserError
from sae_desktop.project import Project


def test_nodes__are_called_by_their_names_beside_their_numbers(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    graph = made_graph(features=6)
    first, second = np.flatnonzero(graph.kind == FEATURE)[:2].tolist()
    names = ["" for _ in range(graph.nodes)]
    names[first], names[second] = "capital cities", "x" * 60
    info = msgspec.structs.replace(graph.info, names=tuple(names))
    path = project.graph_path("g")
    path.parent.mkdir(parents=True)
    write_graph(path, info, graph.arrays)

    texts = NodeTexts(project.path, "g")
    place = f"feature {int(graph.feature[first])} of layer {int(graph.layer[first])} at “"
    assert texts(first).startswith(f"{first}  capital cities · {place}")
    assert texts.name(second) == "x" * 39 + "…"
    logit = int(np.flatnonzero(graph.kind == LOGIT)[0])
    assert "answer0" in texts(logit)
    table = trace_text.nodes(trace_text.shown(texts, -1, graph.nodes))
    assert f"#{int(graph.feature[first])}  capital cities" in table
    rows = trace_text.shown(texts, -1, graph.nodes, "feature")["nodes"]
    assert [row["node"] for row in rows] == sorted(
        np.flatnonzero(graph.kind == FEATURE).tolist(), key=lambda node: -graph.influence[node]
    )
    with pytest.raises(UserError, match="no group “cities”") as refused:
        trace_text.shown(texts, -1, 5, "all", "cities")
    assert "trace groups" in refused.value.next_step


def test_nodes_of_a_group__are_shown_alone(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    graph = made_graph(features=6)
    of = np.full(graph.nodes, -1, np.int32)
    members = np.flatnonzero(graph.kind == FEATURE)[1:4]
    of[members] = 0
    info = msgspec.structs.replace(graph.info, groups=("cities",), group_stabilities=(1.0,))
    path = project.graph_path("g")
    path.parent.mkdir(parents=True)
    write_graph(path, info, graph.arrays | {"groups/of": of})
    texts = NodeTexts(project.path, "g")
    found = trace_text.shown(texts, -1, 2, group="cities")
    assert len(found["nodes"]) == 2
    assert {row["node"] for row in found["nodes"]} <= set(members.tolist())
    assert found["left_out"] == 1
    assert "1 more node with" in trace_text.nodes(found)
