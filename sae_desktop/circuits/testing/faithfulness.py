"""The job `faithfulness`: how far what a graph predicts of ablations is what they do.

The features of most influence are ablated one by one in the model; beside each, a feature drawn
at random from those of nearly its activation that the graph does not give that influence. The
top nodes are ablated with norms and attention held and free, and in the replacement model, too:
where the figures part, it is said why.
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
from sae_desktop.circuits.testing.agreement import COMPARED, agreement, correlation
from sae_desktop.circuits.testing.alike import alike
from sae_desktop.circuits.testing.changes import FeatureChange, Held, overflow, run_changed
from sae_desktop.circuits.testing.intervene import measured_nodes
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project

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
    drawn = alike(found, graph.activation[top].tolist(), set(chosen), config.seed)
    predicted = np.array(
        [
            predicted_change(graph, {int(node): -float(graph.activation[node])})
            @ target_weights(graph)
            for node in top
        ]
    )
    held = Held(config.attention, config.norms)
    ablations = _Ablations(found, context)
    settings = {held, held._replace(replaced=True), *COMPARED}
    ablations.total = len(settings) * len(top) + len(drawn)
    ours, others = ablations.measured(chosen, held), ablations.measured(drawn, held)
    replaced = ablations.measured(chosen, held._replace(replaced=True))
    agreed = agreement(
        predicted, ours, replaced, held, lambda held: ablations.measured(chosen, held)
    )
    finite = np.isfinite(ours) & np.isfinite(replaced)
    finite[: len(drawn)] &= np.isfinite(others)
    if not finite.any():
        raise overflow()
    beside = finite[: len(drawn)]
    top, predicted, replaced, ours = (some[finite] for some in (top, predicted, replaced, ours))
    drawn, others = (
        [place for place, kept in zip(drawn, beside, strict=True) if kept],
        others[beside],
    )
    result = FaithfulnessResult(
        graph=config.graph,
        nodes=top.tolist(),
        predicted=predicted.tolist(),
        replaced=replaced.tolist(),
        measured=ours.tolist(),
        random_nodes=drawn,
        random_measured=others.tolist(),
        correlation=correlation(predicted, ours),
        agreement=agreed,
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
            "held_norms": float(config.norms == "frozen"),
        }
        | {
            name: value
            for name, value in msgspec.structs.asdict(agreed).items()
            if value is not None
        },
    )
    path = Project.open(config.project).graph_path(config.graph)
    write_graph(path, msgspec.structs.replace(graph.info, faithfulness=kept), graph.arrays)
    return result


class _Ablations:
    """Ablates features one by one, and counts them."""

    def __init__(self, found: OpenedGraph, context: JobContext) -> None:
        self._found, self._context = found, context
        self._weights = target_weights(found.graph)
        self._before = float(found.graph.activation.astype(np.float64) @ self._weights)
        self._done = 0
        self.total = 0

    def measured(self, places: Sequence[Place], held: Held) -> Array:
        """Return the change of the targets with each feature ablated alone."""
        model = self._found.model
        step = max(1, _TOKENS_AT_ONCE // model.tokens)
        effects = np.zeros(len(places))
        for first in range(0, len(places), step):
            self._context.progress(self._done, self.total, "ablations")
            self._context.check_cancelled()
            rows = [[FeatureChange(*place)] for place in places[first : first + step]]
            after = measured_nodes(self._found, run_changed(model, rows, held)) @ self._weights
            effects[first : first + step] = after - self._before
            self._done += len(rows)
        self._context.progress(self._done, self.total, "ablations")
        return effects
