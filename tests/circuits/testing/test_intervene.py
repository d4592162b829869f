"""A node is changed where it stands, by what it is given, and all that follows reacts."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from made_graphs import made_graph
from torch import Tensor
from traced_toy import OTHER, traced_toy

from sae_desktop.circuits.asking_config import (
    FaithfulnessConfig,
    InterveneConfig,
    InterveneResult,
    NodeChange,
)
from sae_desktop.circuits.opened_graph import OpenedGraph, open_graph
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, LOGIT, read_graph, write_graph
from sae_desktop.circuits.reading.prediction import predicted_change
from sae_desktop.circuits.testing.alike import alike
from sae_desktop.circuits.testing.changes import FeatureChange, direct_effects
from sae_desktop.circuits.testing.faithfulness import faithfulness
from sae_desktop.circuits.testing.intervene import intervene, logit_directions
from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return traced_toy(tmp_path_factory.mktemp("intervene"))


@pytest.fixture(scope="module")
def opened(project: Project) -> OpenedGraph:
    return open_graph(str(project.path), "g", "cpu")


def asked(project: Project, *changes: NodeChange, **settings: Any) -> InterveneResult:
    config = InterveneConfig(
        project=str(project.path), graph="g", changes=changes, device="cpu", **settings
    )
    return intervene(config, RecordingContext())


def a_feature(opened: OpenedGraph, layer: int, position: int) -> int:
    graph = opened.graph
    here = (graph.kind == FEATURE) & (graph.layer == layer) & (graph.position == position)
    return int(here.nonzero()[0][0])


def by_hand(opened: OpenedGraph, node: int, value: float) -> tuple[Tensor, Tensor]:
    """Return the logits after the prompt and what layer 1 reads, with a feature of layer 0 set."""
    graph, lm, place = opened.graph, opened.lm, int(opened.graph.position[node])
    W_dec = opened.model.members.dictionary(0).W_dec[int(graph.feature[node])]
    delta = value - float(graph.activation[node])
    seen: list[Tensor] = []

    def moved(x: Tensor) -> Tensor:
        out = x.clone()
        out[0, place] += delta * W_dec
        return out

    with torch.no_grad(), intervention(lm, Site(0, "hook_mlp_out"), moved):
        logits = lm.model(torch.from_numpy(graph.tokens[None].astype(np.int64))).logits[0, -1]
        ids = torch.from_numpy(graph.tokens[None].astype(np.int64))
        seen.append(capture(lm, ids, None, Site(1, "mlp.hook_in"))[0])
    return logits - logits.mean(), seen[0]


@pytest.mark.parametrize("position", [1, -1])
def test_change__stands_at_its_token_and_the_model_itself_reacts(
    project: Project, opened: OpenedGraph, position: int
) -> None:
    graph = opened.graph
    node = a_feature(opened, 0, position % len(graph.tokens))
    result = asked(project, NodeChange(node=node, mode="clamp", value=9.0), attention="free")
    logits, read = by_hand(opened, node, 9.0)
    encoded = opened.model.members.dictionary(1).encode(read)
    effects = {effect.node: effect for effect in result.effects}
    assert effects[node].changed
    assert effects[node].measured == pytest.approx(9 - float(graph.activation[node]), abs=1e-4)
    for other, effect in effects.items():
        if other == node:
            continue
        if graph.kind[other] == LOGIT:
            after = float(logits[int(graph.feature[other])])
        else:
            after = float(encoded[int(graph.position[other]), int(graph.feature[other])])
        assert effect.before + effect.measured == pytest.approx(after, abs=2e-3)
    assert max(abs(e.measured) for e in effects.values() if graph.kind[e.node] == LOGIT) > 0.05
    frozen = asked(project, NodeChange(node=node, mode="clamp", value=9.0))
    changes = [[e.measured for e in r.effects] for r in (result, frozen)]
    assert changes[0] != pytest.approx(changes[1], abs=1e-3) or position == -1


def test_change__that_changes_nothing_does_nothing(project: Project, opened: OpenedGraph) -> None:
    node = a_feature(opened, 0, 2)
    result = asked(project, NodeChange(node=node, mode="multiply", value=1.0))
    assert max(abs(e.measured) for e in result.effects) < 1e-3
    assert max(abs(e.predicted) for e in result.effects) == 0
    assert all(row.before == pytest.approx(row.after, abs=1e-4) for row in result.next_tokens)


def test_swap__gives_what_the_feature_is_in_the_other_prompt(
    project: Project, opened: OpenedGraph
) -> None:
    lm = opened.lm
    ids = torch.tensor([[lm.bos_id, *lm.encode(OTHER)]])
    read = capture(lm, ids, None, Site(0, "mlp.hook_in"))[0]
    here = opened.model.members.dictionary(0).encode(read)
    position = int((ids[0].numpy() != opened.graph.tokens).nonzero()[0][0])
    feature = int(here[position].argmax())
    change = NodeChange(layer=0, position=position, feature=feature, mode="swap", prompt=OTHER)
    inside = opened.places.get((0, position, feature))
    result = asked(project, change)
    before = 0.0 if inside is None else float(opened.graph.activation[inside])
    same = NodeChange(
        layer=0, position=position, feature=feature, mode="clamp", value=float(here[position].max())
    )
    assert float(here[position].max()) != pytest.approx(before)
    assert [e.measured for e in result.effects] == pytest.approx(
        [e.measured for e in asked(project, same).effects], abs=1e-3
    )


def test_direct_effect__of_any_feature_is_its_edge(opened: OpenedGraph) -> None:
    graph, model = opened.graph, opened.model
    node = a_feature(opened, 0, 2)
    targets, weights = graph.targets(), graph.weights
    change = FeatureChange(0, 2, int(graph.feature[node]))
    places = opened.places
    on_features, on_logits = direct_effects(
        model, [(change, 2 * float(graph.activation[node]))], list(places), logit_directions(opened)
    )
    edges = np.zeros(graph.nodes)
    mine = graph.sources == node
    edges[targets[mine]] = weights[mine]
    assert np.abs(edges[list(places.values())]).max() > 1e-3
    np.testing.assert_allclose(on_features.numpy(), 2 * edges[list(places.values())], atol=2e-4)
    np.testing.assert_allclose(on_logits.numpy(), 2 * edges[opened.logits], atol=2e-4)


def test_prediction__carries_shares_along_edges_and_stops_at_zero() -> None:
    graph = made_graph(features=30, inputs=6, seed=5)
    features = np.flatnonzero(graph.kind == FEATURE)
    source = int(features[0])
    matrix = np.zeros((graph.nodes, graph.nodes))
    matrix[graph.targets(), graph.sources] = graph.weights
    wanted = np.zeros(graph.nodes)
    wanted[source] = -3 * graph.activation[source]
    floored = 0
    for node in range(graph.nodes):
        if graph.layer[node] > graph.layer[source] and graph.kind[node] in (FEATURE, LOGIT):
            shares = np.where(graph.kind == FEATURE, wanted / graph.activation, 0)
            wanted[node] = matrix[node] @ shares
            if graph.kind[node] == FEATURE and wanted[node] < -graph.activation[node]:
                wanted[node], floored = -graph.activation[node], floored + 1
    found = predicted_change(graph, {source: float(wanted[source])})
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert floored > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (NodeChange(group="none"), "has no group “none”"),
        (NodeChange(node=10**6), "has no node"),
        (NodeChange(node=0), "embeddings and outputs cannot"),
        (NodeChange(layer=0, position=0, feature=1), "No feature can be changed at position 0"),
        (NodeChange(layer=7, position=1, feature=1), "no feature 1 in layer 7"),
        (
            NodeChange(layer=0, position=1, feature=1, mode="swap", prompt="In"),
            "so their positions do not belong together",
        ),
    ],
)
def test_change__of_what_is_not_there_is_refused(
    project: Project, change: NodeChange, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        asked(project, change)


def test_change__after_which_values_overflow_is_refused_with_a_way_out(
    project: Project, opened: OpenedGraph
) -> None:
    node = a_feature(opened, 0, 2)
    with pytest.raises(UserError, match="overflow after this change"):
        asked(project, NodeChange(node=node, mode="clamp", value=3e38), norms="frozen")


def test_graph_of_another_set__is_refused(project: Project, opened: OpenedGraph) -> None:
    info = msgspec.structs.replace(opened.graph.info, set_digest="0" * 32)
    write_graph(project.graph_path("h"), info, opened.graph.arrays)
    with pytest.raises(UserError, match="has changed since"):
        open_graph(str(project.path), "h", "cpu")


def test_faithfulness__is_that_of_single_ablations_and_kept(project: Project) -> None:
    config = FaithfulnessConfig(project=str(project.path), graph="g", count=4, device="cpu")
    context = RecordingContext()
    result = faithfulness(config, context)
    assert context.steps[-1] == (24, 24, "ablations")
    graph = read_graph(project.graph_path("g"))
    weights = graph.probability / graph.probability.sum()
    node = result.nodes[1]
    one = asked(project, NodeChange(node=node))
    logits = [e for e in one.effects if graph.kind[e.node] == LOGIT]
    measured = sum(e.measured * weights[e.node] for e in logits)
    predicted = sum(e.predicted * weights[e.node] for e in logits)
    assert result.measured[1] == pytest.approx(measured, abs=1e-3)
    assert result.predicted[1] == pytest.approx(predicted, abs=1e-5)
    assert graph.info.faithfulness is not None
    assert graph.info.faithfulness.top_effect == pytest.approx(result.top_effect)
    agreed = result.agreement
    assert agreed.attention_held == result.correlation
    held = faithfulness(msgspec.structs.replace(config, norms="frozen"), RecordingContext())
    assert held.measured[1] != pytest.approx(result.measured[1], rel=0.01)
    assert agreed.held == pytest.approx(held.correlation) == held.agreement.held
    free = faithfulness(msgspec.structs.replace(config, attention="free"), RecordingContext())
    assert agreed.free == pytest.approx(free.correlation)
    assert agreed.replaced == pytest.approx(np.corrcoef(result.replaced, result.measured)[0, 1])
    assert agreed.edges == pytest.approx(np.corrcoef(result.predicted, held.replaced)[0, 1])
    assert graph.info.faithfulness.details["held"] == agreed.held
    assert len(set(result.random_nodes)) == 4
    tops = {
        (int(graph.layer[n]), int(graph.position[n]), int(graph.feature[n])) for n in result.nodes
    }
    assert not tops & set(result.random_nodes)
    # Each is among the ten nearest in activation of those that were left.
    model = open_graph(str(project.path), "g", "cpu").model
    fires = {
        (layer, int(position), int(feature)): float(activation)
        for layer, active in model.active.items()
        for position, feature, activation in zip(
            active.positions, active.features, active.activations, strict=True
        )
    }
    for node, drawn in zip(result.nodes, result.random_nodes, strict=True):
        distances = [abs(v - graph.activation[node]) for p, v in fires.items() if p not in tops]
        nearest = sorted(distances)[10 + len(result.nodes)]
        assert abs(fires[tuple(drawn)] - graph.activation[node]) < nearest


def test_random_groups__are_changed_in_the_same_way_and_told_beside(
    project: Project, opened: OpenedGraph
) -> None:
    graph = opened.graph
    weights = graph.probability / graph.probability.sum()
    nodes = [int(node) for node in np.flatnonzero(graph.kind == FEATURE)[3:6]]
    result = asked(project, NodeChange(nodes=tuple(nodes)), random=3, seed=5, top=4)
    places = {place for place, node in opened.places.items() if node in nodes}
    drawn = [
        alike(opened, graph.activation[nodes].tolist(), places, seed) for seed in (5, 6, 7)
    ]  # fmt: skip
    assert all(len(set(one)) == 3 and not places & set(one) for one in drawn)
    changes = [tuple(NodeChange(layer=a, position=b, feature=c) for a, b, c in d) for d in drawn]
    each = [asked(project, *one, random=0, top=4) for one in changes]
    assert result.target is not None
    assert all(one.target is not None and one.target.random == [] for one in each)
    assert result.target.random == pytest.approx(
        [one.target.measured for one in each if one.target is not None], abs=1e-4
    )
    logits = [e for e in result.effects if graph.kind[e.node] == LOGIT]
    assert result.target.measured == pytest.approx(
        sum(e.measured * weights[e.node] for e in logits), abs=1e-6
    )
    for number, effect in enumerate(logits):
        single = [
            [e for e in one.effects if graph.kind[e.node] == LOGIT][number].measured for one in each
        ]
        assert effect.random == pytest.approx(np.mean(single), abs=1e-4)
    assert all(e.random is None for e in result.effects if graph.kind[e.node] == FEATURE)
    first = result.next_tokens[0]
    after = [t.after for one in each for t in one.next_tokens if t.token == first.token]
    assert len(after) == 3
    assert first.random == pytest.approx(np.mean(after), abs=1e-5)
    # They fire about as strongly: nearer than most features do.
    values = graph.activation[graph.kind == FEATURE]
    for node, place in zip(nodes, drawn[0], strict=True):
        inside = opened.places.get(place, None)
        if inside is not None:
            own = abs(graph.activation[inside] - graph.activation[node])
            assert own <= np.quantile(np.abs(values - graph.activation[node]), 0.5)


def test_random_groups__of_errors_there_are_none(project: Project, opened: OpenedGraph) -> None:
    error = int(np.flatnonzero(opened.graph.kind == ERROR)[0])
    result = asked(project, NodeChange(node=error), random=4)
    assert result.target is not None
    assert result.target.random == []
    assert all(token.random is None for token in result.next_tokens)
