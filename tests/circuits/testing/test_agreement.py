"""With what a graph takes to stay held, the replacement model does what the graph predicts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_sets import exact_model, random_members
from torch import Tensor

from sae_desktop.circuits.asking_config import Agreement
from sae_desktop.circuits.attributing import Attribution
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, Graph, GraphInfo
from sae_desktop.circuits.reading.prediction import predicted_change
from sae_desktop.circuits.replacement import ReplacementModel
from sae_desktop.circuits.testing.agreement import ATTENTION_HELD, FREE, agreement
from sae_desktop.circuits.testing.changes import (
    AS_TRACED,
    Change,
    ErrorChange,
    FeatureChange,
    Held,
    activations_in,
    run_changed,
)
from sae_desktop.words.agreement_text import parting_text

IDS = [0, 17, 60, 201, 33, 9]
LOGITS = torch.tensor([5, 9, 300])
LAYERS = 3


def replacement(cross_layer: bool = False, kind: str = "llama") -> ReplacementModel:
    members = random_members(layers=LAYERS, cross_layer=cross_layer, skip=True, features=24)
    return ReplacementModel(exact_model(kind, LAYERS), members, IDS, specials=1)


def whole_graph(model: ReplacementModel) -> Graph:
    """The graph of all that fires with every edge, in float64."""
    attribution = Attribution(model)
    sources = attribution.sources
    columns = torch.nonzero(sources.kinds == 1).squeeze(1)
    columns = columns[sources.layers[columns].argsort(descending=True, stable=True)]
    edges = torch.zeros(sources.count + len(LOGITS), sources.count, dtype=torch.float64)
    edges[columns] = attribution.edges(attribution.of_features(columns)).detach()
    logits = attribution.of_logits(model.logit_directions(LOGITS))
    edges[sources.count :] = attribution.edges(logits).detach()
    activations = np.ones(sources.count + len(LOGITS))
    for layer, place in sources.features.items():
        activations[place] = model.active[layer].activations.numpy()
    nodes = len(activations)
    targets, found = edges.numpy().nonzero()
    last = np.zeros(nodes - sources.count, np.int32)
    arrays = {
        "tokens": np.array(IDS), "nodes/kind": np.append(sources.kinds, last + 3),
        "nodes/layer": np.append(sources.layers, last + LAYERS),
        "nodes/position": np.append(sources.positions, last + len(IDS) - 1),
        "nodes/feature": np.append(sources.ids, LOGITS), "nodes/activation": activations,
        "edges/offsets": np.searchsorted(targets, np.arange(nodes + 1)),
        "edges/sources": found, "edges/weights": edges.numpy()[targets, found],
    } | {
        f"nodes/{name}": np.zeros(nodes) for name in ("pre", "constant", "probability", "influence")
    } | {"edges/rest": np.zeros(nodes)}  # fmt: skip
    info = GraphInfo(name="", set="", model="", prompt="", layers=LAYERS, token_text=("",) * 6)
    return Graph(info, arrays)


def moved(model: ReplacementModel, graph: Graph, change: Change, held: Held) -> Tensor:
    """Return by how much the graph's features, then its logits, change, in float64."""
    seen = run_changed(model, [[change]], held)
    feats = np.flatnonzero(graph.kind == 1)
    places = [(int(graph.layer[n]), int(graph.position[n]), int(graph.feature[n])) for n in feats]
    features = activations_in(model, seen, places)[0] - torch.from_numpy(graph.activation[feats])
    head = seen.head_in[0, -1] - model.seen.head_in[0, -1].detach()
    return torch.cat([features, model.logit_directions(LOGITS) @ head])


@pytest.mark.parametrize("cross_layer", [False, True])
def test_prediction__is_what_the_frozen_replacement_model_does_to_rounding(
    cross_layer: bool,
) -> None:
    model = replacement(cross_layer)
    graph = whole_graph(model)
    compared = np.flatnonzero((graph.kind == 1) | (graph.kind == 3))
    first = np.flatnonzero((graph.kind == 1) & (graph.layer == 0))
    for node in first[:: len(first) // 4].tolist():
        # So little that all that fires still does.
        place = int(graph.layer[node]), int(graph.position[node]), int(graph.feature[node])
        change = FeatureChange(*place, value=1 - 1e-6, factor=True)
        predicted = predicted_change(graph, {node: -1e-6 * float(graph.activation[node])})[compared]
        found, free = (
            moved(model, graph, change, held._replace(replaced=True)).numpy()
            for held in (AS_TRACED, FREE)
        )
        others = compared != node
        size = np.abs(predicted[others]).max()
        assert np.count_nonzero(predicted) > len(LOGITS) + 5
        assert np.abs(found - predicted)[others].max() < 1e-6 * size
        assert np.abs(free - predicted)[others].max() > 1e-2 * size


@pytest.mark.parametrize("cross_layer", [False, True])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_replacement_model__unchanged_is_the_prompt(kind: str, cross_layer: bool) -> None:
    model = replacement(cross_layer, kind)
    for held in (AS_TRACED, ATTENTION_HELD, FREE):
        seen = run_changed(model, [[], []], held._replace(replaced=True))
        for row in range(2):
            torch.testing.assert_close(seen.head_in[row, -1], model.seen.head_in[0, -1].detach())


def last_of(graph: Graph, kind: int) -> np.ndarray:
    """The nodes (N,) bool of a kind in the last layer, at the last token."""
    last = (graph.layer == LAYERS - 1) & (graph.position == len(IDS) - 1)
    return last & (graph.kind == kind)


def test_norms_held__let_the_last_layer_do_what_its_edge_says() -> None:
    model = replacement()
    graph = whole_graph(model)
    node = int(np.flatnonzero(last_of(graph, FEATURE))[0])
    mine = graph.sources == node
    edges = graph.weights[mine]
    assert graph.targets()[mine].tolist() == list(range(graph.nodes - len(LOGITS), graph.nodes))
    change = FeatureChange(LAYERS - 1, len(IDS) - 1, int(graph.feature[node]))
    held = moved(model, graph, change, AS_TRACED)[-len(LOGITS) :].numpy()
    np.testing.assert_allclose(held, -edges, rtol=1e-9)
    free = moved(model, graph, change, ATTENTION_HELD)[-len(LOGITS) :].numpy()
    assert np.abs(free + edges).max() > 1e-2 * np.abs(edges).max()
    error = np.flatnonzero(last_of(graph, ERROR))[0]
    half = ErrorChange(LAYERS - 1, len(IDS) - 1, 0.5)
    found = moved(model, graph, half, AS_TRACED)[-len(LOGITS) :].numpy()
    np.testing.assert_allclose(found, -0.5 * graph.weights[graph.sources == error], rtol=1e-9)


@pytest.mark.parametrize(
    ("held", "half", "free", "replaced", "said"),
    [
        (0.97, 0.56, 0.55, 0.95, "because of norms, which divide by another size once a node"),
        (0.97, 0.96, 0.40, 0.95, "because of attention, which then looks elsewhere (0.40)"),
        (0.97, 0.56, 0.20, 0.95, "(0.56) and attention, which then looks elsewhere (0.20)"),
        (0.97, 0.56, 0.55, 0.95, "the features are right"),
        (0.97, 0.56, 0.55, 0.60, "agrees with it to 0.60"),
        (0.97, 0.95, 0.93, 0.95, "hardly less with nothing held (0.93)"),
        (0.30, 0.20, 0.10, 0.95, "the MLPs respond otherwise than the features"),
        (0.31, 0.20, 0.10, 0.95, "does otherwise (0.80), since features start or stop firing"),
    ],
)
def test_why_they_part__is_said_of_what_lowers_the_figure(
    held: float, half: float, free: float, replaced: float, said: str
) -> None:
    edges = 0.8 if held == 0.31 else 1.0
    found = Agreement(held=held, attention_held=half, free=free, replaced=replaced, edges=edges)
    assert said in parting_text(found)
    assert ("attention, which" in parting_text(found)) == (held > 0.9 and half - free > 0.1)
    assert parting_text(Agreement(held=held)) == ""


def test_agreement__leaves_out_what_overflows_and_says_so() -> None:
    predicted = np.array([1.0, 2.0, 3.0, 9.0])
    measured = {
        AS_TRACED: np.array([2.0, 4.0, 6.0, np.nan]),
        ATTENTION_HELD: np.array([1.0, 2.0, 3.0, 8.0]),
        FREE: np.array([1.0, 2.0, 3.0, 8.5]),
    }
    as_replaced = predicted.copy()

    def other(held: Held) -> np.ndarray:
        return as_replaced if held.replaced else measured[held]

    found = agreement(predicted, measured[FREE], as_replaced, FREE, other)
    assert found.held == pytest.approx(1.0)
    assert found.overflowed == 1
    assert "overflow" in parting_text(found)
    measured[AS_TRACED] = np.full(4, np.nan)
    lost = agreement(predicted, measured[FREE], as_replaced, FREE, other)
    assert lost.held is None
    assert lost.overflowed == 4
    assert parting_text(lost).startswith("With attention and norms held")
