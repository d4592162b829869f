"""The job `faithfulness`: how far what a graph predicts of ablations is what they do.

The features of most influence are ablated one by one in the model; beside each, a feature drawn
at random from those of nearly its activation that the graph does not give that influence.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from sae_desktop.circuits.asking_config import FaithfulnessConfig, FaithfulnessResult
from sae_desktop.circuits.opened_graph import OpenedGraph, Place, open_graph
from sae_desktop.circuits.reading.graph_file import FEATURE, Array, Faithfulness, write_graph
from sae_desktop.circuits.reading.prediction import predicted_change
from sae_desktop.circuits.reading.pruning import target_weights
from sae_desktop.circuits.testing.changes import FeatureChange, run_changed
from sae_desktop.circuits.testing.intervene import correlation, measured_nodes
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project

_NEAREST = 10
"""Features of the nearest activation, of which one is drawn."""
_TOKENS_AT_ONCE = 1024


def faithfulness(config: FaithfulnessConfig, context: JobContext) -> FaithfulnessResult:
    """Measure a graph's faithfulness and keep it in its file.

    An effect is the change of the targets' centred logits, weighted by their probability. Raises
    UserError for a graph of fewer than two features, and as `open_graph`.
    """
    refuse_beyond_limits(config)
    found = open_graph(config.project, config.graph, config.device)
    graph = found.graph
    features = np.flatnonzero(graph.kind == FEATURE)
    if len(features) < 2:
        raise UserError(
            f"The graph “{config.graph}” has too few features to be tested.",
            next_step="Trace the prompt with more features.",
        )
    top = features[np.argsort(-graph.influence[features], kind="stable")][: config.count]
    top = top[: max(1, len(features) // 2)]
    place_of = {node: place for place, node in found.places.items()}
    chosen = [place_of[int(node)] for node in top]
    drawn = _alike(found, top, config.seed)
    weights = target_weights(graph)
    predicted = [
        float(predicted_change(graph, {int(node): -float(graph.activation[node])}) @ weights)
        for node in top
    ]
    measured = _measured(found, [*chosen, *drawn], weights, config, context)
    ours, others = np.array(measured[: len(top)]), np.array(measured[len(top) :])
    result = FaithfulnessResult(
        graph=config.graph,
        nodes=top.tolist(),
        predicted=predicted,
        measured=ours.tolist(),
        random_nodes=drawn,
        random_measured=others.tolist(),
        correlation=correlation(np.array(predicted), ours),
        same_sign=float((np.sign(predicted) == np.sign(ours)).mean()),
        top_effect=float(np.abs(ours).mean()),
        random_effect=float(np.abs(others).mean()) if len(others) else 0.0,
    )
    kept = Faithfulness(
        correlation=result.correlation,
        top_effect=result.top_effect,
        random_effect=result.random_effect,
        nodes=len(top),
        details={
            "same_sign": result.same_sign,
            "free_attention": float(config.attention == "free"),
        },
    )
    path = Project.open(config.project).graph_path(config.graph)
    write_graph(path, msgspec.structs.replace(graph.info, faithfulness=kept), graph.arrays)
    return result


def _alike(found: OpenedGraph, top: Array, seed: int) -> list[Place]:
    """Return for each top node another feature that fires, drawn from those of its activation."""
    places: list[Place] = []
    values: list[float] = []
    inside = found.places
    taken = {place for place, node in inside.items() if node in set(top.tolist())}
    for layer, active in found.model.active.items():
        rows = zip(
            active.positions.tolist(), active.features.tolist(), active.activations.tolist(),
            strict=True,
        )  # fmt: skip
        for position, feature, value in rows:
            if (layer, position, feature) not in taken:
                places.append((layer, position, feature))
                values.append(value)
    rng = np.random.default_rng(seed)
    sizes = np.array(values)
    left = np.ones(len(places), bool)
    drawn: list[Place] = []
    for node in top.tolist():
        if not left.any():
            break
        distances = np.where(left, np.abs(sizes - float(found.graph.activation[node])), np.inf)
        nearest = np.argsort(distances, kind="stable")[: min(_NEAREST, int(left.sum()))]
        number = int(rng.choice(nearest))
        left[number] = False
        drawn.append(places[number])
    return drawn


def _measured(
    found: OpenedGraph,
    places: Sequence[Place],
    weights: Array,
    config: FaithfulnessConfig,
    context: JobContext,
) -> list[float]:
    """Return the change of the targets with each feature ablated alone."""
    before = found.graph.activation.astype(np.float64) @ weights
    step = max(1, _TOKENS_AT_ONCE // found.model.tokens)
    effects: list[float] = []
    context.progress(0, len(places), "ablations")
    for first in range(0, len(places), step):
        context.check_cancelled()
        rows = [[FeatureChange(*place)] for place in places[first : first + step]]
        seen = run_changed(found.model, rows, config.attention)
        effects += (measured_nodes(found, seen) @ weights - before).tolist()
        context.progress(len(effects), len(places), "ablations")
    return effects
