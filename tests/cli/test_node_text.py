"""What commands call a graph's nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.asking_config import (
    Agreement,
    InterveneResult,
    NextToken,
    NodeEffect,
    TargetChange,
)
from sae_desktop.circuits.reading.graph_file import FEATURE, LOGIT, write_graph
from sae_desktop.cli import circuit_commands, trace_commands, trace_text
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


def test_test_of_a_graph__tells_what_is_changed_then_what_is_explained(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    graph = made_graph(features=6)
    path = project.graph_path("g")
    path.parent.mkdir(parents=True)
    write_graph(path, graph.info, graph.arrays)
    first, second = np.flatnonzero(graph.kind == FEATURE)[:2].tolist()
    logit = int(np.flatnonzero(graph.kind == LOGIT)[0])

    def effect(node: int, moved: float, **more: Any) -> NodeEffect:
        return NodeEffect(node=node, before=2.0, predicted=moved, measured=moved, **more)

    result = InterveneResult(
        graph="g", attention="frozen", norms="free", changed=1, logit_correlation=None,
        node_correlation=None, agreement=Agreement(),
        effects=[
            effect(first, -2.0, changed=True), effect(second, -9.0),
            effect(logit, 0.25, random=0.5),
        ],
        next_tokens=[NextToken(token=" a", before=0.5, after=0.25, random=0.125)],
        target=TargetChange(predicted=0.25, measured=0.25, random=[0.5, 0.5]),
    )  # fmt: skip
    said = circuit_commands.tested_text(result, NodeTexts(project.path, "g"))
    lines = said.splitlines()
    assert lines[0] == "Changed:"
    assert lines[1].endswith(": +2.000 → 0.000")
    assert lines[3].startswith(f" {logit}" if logit < 10 else str(logit))
    assert lines[3].split()[-1] == "+0.500"
    assert lines[4].startswith(f" {second}" if second < 10 else str(second))
    assert any("2 random groups of like activation: +0.5 on average" in line for line in lines)
    assert lines[-1].split() == ["·a", "50.0%", "25.0%", "12.5%"]


def test_graph_without_a_name__is_called_after_its_prompt(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    path = project.graph_path("The king")
    path.parent.mkdir(parents=True)
    graph = made_graph(features=6)
    write_graph(path, graph.info, graph.arrays)
    assert trace_commands._free_name(project.path, "The king") == "The king 2"
    assert trace_commands._free_name(tmp_path / "nowhere", "The king") == "The king"
