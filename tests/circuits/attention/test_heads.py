"""What heads carry of a link adds up to the link; pairs of nodes add up to a head's score."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from made_sets import exact_model, random_members
from traced_toy import traced_toy

from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    EdgeHeadsResult,
    HeadConfig,
    HeadResult,
)
from sae_desktop.circuits.attention.heads import Read, Written, edge_heads, head_shares
from sae_desktop.circuits.attention.pairs import CONSTANT, head
from sae_desktop.circuits.attributing import Attribution
from sae_desktop.circuits.opened_graph import OpenedGraph, open_graph
from sae_desktop.circuits.reading.graph_file import EMBEDDING, FEATURE, LOGIT
from sae_desktop.circuits.replacement import ReplacementModel
from sae_desktop.errors import UserError
from sae_desktop.project import Project

IDS = [0, 17, 60, 201, 33, 9]
LAYERS = 3


@pytest.mark.parametrize("cross_layer", [False, True])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox", "gemma2", "qwen3"])
def test_shares_of_heads__add_up_to_the_edge(kind: str, cross_layer: bool) -> None:
    members = random_members(layers=LAYERS, skip=True, cross_layer=cross_layer, features=24)
    model = ReplacementModel(exact_model(kind, LAYERS), members, IDS, specials=1)
    attribution = Attribution(model)
    sources = attribution.sources
    direction = model.logit_directions(torch.tensor([7]))[0]
    last = model.active[LAYERS - 1]
    number = int((last.positions == 4).nonzero()[0])
    column = torch.tensor([sources.features[LAYERS - 1].start + number])
    vector = members.encoders(LAYERS - 1, last.features[number : number + 1])[0][0]
    targets = [
        (attribution.of_logits(direction[None]), Read(LAYERS, len(IDS) - 1, direction)),
        (attribution.of_features(column), Read(LAYERS - 1, 4, vector)),
    ]
    crossed = 0.0
    for target, read in targets:
        edges = attribution.edges(target)[0]
        for position in (1, 4):
            active = model.active[0]
            first = int((active.positions == position).nonzero()[0])
            ids = active.features[first : first + 1]
            size = active.activations[first]
            writes = range(LAYERS) if cross_layer else [0]
            feature = {layer: members.decoders(0, layer, ids)[0] * size for layer in writes}
            for vectors, column_of in (
                (feature, sources.features[0].start + first),
                ({-1: model.seen.embedding[0, position].detach()}, position),
                ({1: model.errors[1][position]}, sources.errors[1].start + position),
            ):
                shares = head_shares(model, Written(position, vectors), read)
                assert shares.weight == pytest.approx(float(edges[column_of]), rel=1e-6, abs=1e-9)
                if position != read.position:
                    assert shares.own == 0
                    crossed += abs(shares.weight)
                    roundabout = float((shares.direct - shares.by_head).abs().max())
                    if min(vectors) == LAYERS - 2 or position == read.position - 1:
                        # One layer attends to it, or no token lies between: all comes straight.
                        assert roundabout < 1e-12
                    elif read.layer == LAYERS:
                        assert roundabout > 1e-9
                else:
                    assert float(shares.by_head.abs().max()) == 0
    assert crossed > 0.01


@pytest.fixture(scope="module", params=["llama", "qwen3", "gpt2"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return traced_toy(tmp_path_factory.mktemp("heads"), request.param)


@pytest.fixture(scope="module")
def opened(project: Project) -> OpenedGraph:
    return open_graph(str(project.path), "g", "cpu")


def looked(project: Project, **settings: Any) -> HeadResult:
    config = HeadConfig(project=str(project.path), graph="g", device="cpu", **settings)
    return head(config, RecordingContext())


def test_pairs__add_up_to_the_score_by_which_a_head_looks(project: Project) -> None:
    one, other = (looked(project, layer=1, head=2, query=5, key=key, top=10**6) for key in (2, 4))
    assert one.heads == 4
    assert [sum(row) for row in one.pattern] == pytest.approx([1.0] * len(one.pattern), abs=1e-3)
    assert max(max(row[number + 1 :], default=0) for number, row in enumerate(one.pattern)) == 0
    # Softmax: scores differ as the logarithms of what is looked at.
    wanted = math.log(one.pattern[5][2] / one.pattern[5][4])
    assert one.score - other.score == pytest.approx(wanted, abs=2e-2)
    assert sum(pair.weight for pair in one.pairs) == pytest.approx(one.score, abs=1e-4)
    assert one.rest == pytest.approx(0, abs=1e-4)
    assert len([pair for pair in one.pairs if pair.query_node != CONSTANT]) > 50


def test_pairs__of_a_node_are_what_more_of_it_does(project: Project, opened: OpenedGraph) -> None:
    graph, model = opened.graph, opened.model
    result = looked(project, layer=1, head=1, query=5, key=3)
    node = next(node for node, _ in result.by_query if node >= 0 and graph.kind[node] == EMBEDDING)
    told = dict(result.by_query)[node]
    scores = []
    for factor in (1.0, 2.0):
        kept = {}
        embedding = model.seen.embedding.detach().clone()
        embedding[0, int(graph.position[node])] *= factor
        freezer = model.freezer
        freezer.see = lambda module, query, key, value, scale, kept=kept: kept.update(
            {len(kept): (query, key, scale)}
        )
        freezer.of_queries = True
        model.run(norms="record") if factor == 1.0 and not scores else None
        kept.clear()

        def write(layer: int, read: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
            skipped = model.members.skip(layer, read)
            assert skipped is not None
            return model.seen.written[layer].detach() + skipped

        model.run(write=write, embedding=embedding)
        freezer.see, freezer.of_queries = None, False
        query, key, scale = kept[1]
        if not scores:
            base = key[0, 1 // (query.shape[1] // key.shape[1]), 3]
        scores.append(float(query[0, 1, 5] @ base * scale))
    assert told == pytest.approx(scores[1] - scores[0], abs=2e-3)


def carried(project: Project, source: int, target: int) -> EdgeHeadsResult:
    config = EdgeHeadsConfig(
        project=str(project.path), graph="g", source=source, target=target, device="cpu"
    )
    return edge_heads(config, RecordingContext())


def test_heads_of_a_link__add_up_to_what_the_graph_says(
    project: Project, opened: OpenedGraph
) -> None:
    graph = opened.graph
    target = int((graph.kind == LOGIT).nonzero()[0][0])
    sources, weights = graph.inputs(target)
    across = (graph.position[sources] != graph.position[target]) & (graph.kind[sources] == FEATURE)
    source = int(sources[across][0])
    result = carried(project, source, target)
    assert result.stored == pytest.approx(float(weights[across][0]))
    assert result.weight == pytest.approx(result.stored, abs=1e-3)
    assert sum(one.weight for one in result.heads) == pytest.approx(result.weight, abs=1e-5)
    sizes = [abs(one.weight) for one in result.heads]
    assert sizes == sorted(sizes, reverse=True)
    # From layer 0 to the output of layer 1 it crosses once: straight.
    assert all(one.direct == pytest.approx(one.weight, abs=1e-5) for one in result.heads)
    with pytest.raises(UserError, match="earlier layer"):
        carried(project, int((graph.kind == FEATURE).nonzero()[0][-1]), source)
    with pytest.raises(UserError, match="no head 9"):
        looked(project, layer=0, head=9)
