"""circuit-tracer's JSON: ours read as theirs is, theirs read here, broken ones refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_graphs import made_graph, save_made_graph

from sae_desktop.circuits.config import ExportGraphConfig, ImportGraphConfig
from sae_desktop.circuits.graph_exchange import export_graph, import_graph
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, LOGIT, read_graph
from sae_desktop.circuits.reading.graph_view import (
    GraphView,
    ViewGroup,
    node_key,
    read_view,
    write_view,
)
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.circuits.reading.tracer_json import read_tracer_json, tracer_json
from sae_desktop.dictionary.set_info import SetInfo, SetMember, write_set_info
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

# As circuit-tracer 0.4.1 writes one: an error whose id is that of a feature of layer 0.
THEIRS: dict[str, Any] = {
    "metadata": {
        "slug": "dallas", "scan": "toy", "transcoder_list": [], "prompt": "<bos>Dallas is",
        "prompt_tokens": ["<bos>", "Dallas", " is"], "node_threshold": 0.8, "schema_version": 1,
    },
    "qParams": {
        "pinnedIds": ["1_7_2"], "supernodes": [["Texas", "0_1_2", "1_7_2"]], "linkType": "both",
        "clickedId": "", "sg_pos": "",
    },
    "nodes": [
        {"node_id": "0_1_2", "feature": 4, "layer": "0", "ctx_idx": 2, "clerp": "state",
         "feature_type": "cross layer transcoder", "activation": 2.5, "influence": 0.3},
        {"node_id": "1_7_2", "feature": 43, "layer": "1", "ctx_idx": 2,
         "feature_type": "cross layer transcoder", "activation": 1.5, "influence": 0.5},
        {"node_id": "0_1_1", "feature": -1, "layer": "1", "ctx_idx": 1,
         "feature_type": "mlp reconstruction error", "influence": 0.1, "activation": None},
        {"node_id": "E_55_1", "feature": 1, "layer": "E", "ctx_idx": 1,
         "feature_type": "embedding", "influence": 0.2},
        {"node_id": "3_90_2", "feature": 90, "layer": "3", "ctx_idx": 2, "token_prob": 0.75,
         "feature_type": "logit", "is_target_logit": True, "clerp": 'Output " Austin" (p=0.750)'},
    ],
    "links": [
        {"source": "E_55_1", "target": "0_1_2", "weight": 2.0},
        {"source": "0_1_2", "target": "1_7_2", "weight": 1.0},
        {"source": "E_55_1", "target": "1_7_2", "weight": -0.25},
        {"source": "1_7_2", "target": "3_90_2", "weight": 3.0},
        {"source": "0_1_1", "target": "3_90_2", "weight": 1.0},
        {"source": "9_9_9", "target": "3_90_2", "weight": 1.0},
    ],
}  # fmt: skip


def written(path: Path, changes: dict[str, Any]) -> Path:
    path.write_text(json.dumps(THEIRS | changes))
    return path


def test_theirs__is_read_with_pins_groups_and_names(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    config = ImportGraphConfig(
        project=str(project.path), name="dallas", file=str(written(tmp_path / "g.json", {}))
    )
    result = import_graph(config, SilentContext())
    assert (result.nodes, result.features, result.edges, result.dropped_links) == (5, 2, 5, 1)
    graph = read_graph(project.graph_path("dallas"))
    assert graph.info.token_text == ("<bos>", "Dallas", " is")
    assert (graph.info.layers, graph.info.target_tokens) == (2, (" Austin",))
    assert graph.tokens.tolist() == [-1, 55, -1]
    assert graph.kind.tolist() == [0, FEATURE, FEATURE, ERROR, LOGIT]
    assert graph.feature.tolist() == [55, 1, 7, -1, 90]
    assert graph.info.names[1] == "state"
    sources, weights = graph.inputs(2)
    assert (sources.tolist(), weights.tolist()) == ([1, 0], [1.0, -0.25])
    assert graph.rest[2] == pytest.approx(0.75)
    # 3/4 of the logit through the feature; of that 4/5 from the other one, which reads the token.
    assert graph.influence.tolist() == pytest.approx([0.75, 0.6, 0.75, 0.25, 0.0])
    view = read_view(project.graph_path("dallas"))
    assert view.pins == (node_key(graph, 2),)
    assert view.groups == (
        ViewGroup(name="Texas", members=(node_key(graph, 1), node_key(graph, 2))),
    )
    with pytest.raises(UserError, match="already"):
        import_graph(config, SilentContext())


def test_ours__comes_back_the_same(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    made = save_made_graph(project.graph_path("g"), features=60, layers=5, seed=4)
    group = ViewGroup(name="some", members=(node_key(made, 20), node_key(made, 21)))
    write_view(project.graph_path("g"), GraphView(pins=(node_key(made, 12),), groups=(group,)))
    out = tmp_path / "g.json"
    config = ExportGraphConfig(
        project=str(project.path), graph="g", path=str(out), nodes=1.0, edges=1.0
    )
    result = export_graph(config, SilentContext())
    told = json.loads(out.read_bytes())
    assert len(told["nodes"]) == result.nodes
    assert len({node["node_id"] for node in told["nodes"]}) == result.nodes
    assert {"metadata", "qParams", "nodes", "links"} == told.keys()
    # A node's influence there is the share that it has with all that have more.
    shares = [n["influence"] for n in told["nodes"] if n["feature_type"] != "logit"]
    own = made.influence.astype(float)
    largest = own[np.flatnonzero(pruned(made, 1.0, 1.0).nodes)].argmax()
    assert shares[largest] == pytest.approx(own.max() / own.sum(), rel=1e-4)
    assert max(shares) <= 1.0 + 1e-6
    assert sorted(shares)[1] > 1.5 * shares[largest]
    read = read_tracer_json(out)
    kept = pruned(made, 1.0, 1.0)
    there = np.flatnonzero(kept.nodes)
    for name in ("kind", "layer", "position", "feature"):
        assert np.array_equal(getattr(read.graph, name), getattr(made, name)[there]), name
    assert read.graph.edges == kept.edges.sum()
    assert np.allclose(np.sort(read.graph.weights), np.sort(made.weights[kept.edges]))
    assert np.allclose(read.graph.influence, made.influence[there], atol=1e-6)
    assert read.dropped == 0
    assert len(read.groups[0][1]) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nodes": 3}, "not a graph of circuit-tracer"),
        ({"nodes": [{"node_id": "x", "layer": "0", "ctx_idx": 0, "feature_type": "?"}]}, "is a"),
        ({"nodes": [THEIRS["nodes"][0] | {"ctx_idx": -4}]}, "stands nowhere"),
        (
            {"nodes": [THEIRS["nodes"][0] | {"ctx_idx": 10**9}], "links": []},
            "far beyond the prompt",
        ),
        ({"nodes": [THEIRS["nodes"][0] | {"layer": "six"}]}, "six"),
        ({"nodes": [THEIRS["nodes"][0] | {"node_id": "a_b_c"}]}, "does not name a feature"),
        ({"links": [{"source": "a", "target": "b", "weight": 1.0}]}, "none of its links"),
        ({"links": [{"source": "1_7_2", "target": "0_1_2", "weight": 1.0}]}, "none of its links"),
        ({"links": [{"source": "0_1_1", "target": "1_7_2", "weight": 1.0}]}, "none of its links"),
    ],
)
def test_json__that_is_broken_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        read_tracer_json(written(tmp_path / "g.json", changes))


def test_json__cut_short_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "g.json", {})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UserError, match="not a graph of circuit-tracer"):
        read_tracer_json(path)


@pytest.mark.nightly
def test_json__of_200_megabytes_is_read(tmp_path: Path) -> None:
    graph = made_graph(layers=12, positions=60, features=20_000, inputs=200, seed=0)
    data = tracer_json(graph, pruned(graph, 1.0, 1.0), {}, threshold=1.0)
    path = tmp_path / "large.json"
    path.write_bytes(data)
    assert len(data) > 200_000_000
    assert read_tracer_json(path).graph.edges > 2_000_000


def test_import__ties_a_graph_to_a_set_that_has_all_its_features(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    members = tuple(
        SetMember(name=f"L0{layer}", layer=layer, reads="", writes="", features=8, digest="")
        for layer in range(2)
    )
    for name, kept in (("whole", members), ("half", members[:1])):
        told = {"kind": "transcoders", "model": "m", "features": 8 * len(kept)}
        info = SetInfo(name=name, members=kept, **told)
        project.set_path(name).mkdir(parents=True)
        write_set_info(project.set_path(name), info)

    def brought(name: str, scan: str, chosen: str = "") -> str:
        file = written(tmp_path / "g.json", {"metadata": THEIRS["metadata"] | {"scan": scan}})
        config = ImportGraphConfig(project=str(project.path), name=name, file=str(file), set=chosen)
        assert import_graph(config, SilentContext()).name == name
        return read_graph(project.graph_path(name)).info.set

    assert brought("chosen", "elsewhere", "whole") == "whole"
    assert brought("named", "whole") == "whole"
    assert brought("unknown", "elsewhere") == "elsewhere"
    assert brought("of another with the name", "half") == ""
    with pytest.raises(UserError, match="no feature 7 in layer 1"):
        brought("refused", "elsewhere", "half")
    assert "refused" not in project.graphs()
