"""The job `intervene`: nodes of a graph changed in the model, beside what the graph predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sae_desktop.circuits.asking_config import (
    InterveneConfig,
    InterveneResult,
    NextToken,
    NodeChange,
    NodeEffect,
    TargetChange,
)
from sae_desktop.circuits.opened_graph import OpenedGraph, open_graph
from sae_desktop.circuits.prompt import read_prompt
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, LOGIT, Array
from sae_desktop.circuits.reading.node_links import nodes_of_group
from sae_desktop.circuits.reading.prediction import predicted_change
from sae_desktop.circuits.reading.pruning import target_weights
from sae_desktop.circuits.replacement import Pass
from sae_desktop.circuits.testing.agreement import agreement, correlation
from sae_desktop.circuits.testing.alike import alike
from sae_desktop.circuits.testing.changes import (
    Change,
    ErrorChange,
    FeatureChange,
    Held,
    activations_in,
    direct_effects,
    overflow,
    run_changed,
)
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.limits import refuse_beyond_limits

_TOKENS_AT_ONCE = 1024
"""Of random groups that are changed at once."""


def intervene(config: InterveneConfig, context: JobContext) -> InterveneResult:
    """Change nodes of a graph in the model and compare what follows with the prediction.

    Raises UserError for a node or group that is not there or cannot be changed, for another prompt
    of another length, and as `open_graph`.
    """
    refuse_beyond_limits(config)
    if not config.changes:
        raise UserError("There is nothing to change.", next_step="Choose a node or a group.")
    context.progress(0, 5, "passes", "Reading the prompt")
    found = open_graph(config.project, config.graph, config.device)
    context.check_cancelled()
    context.progress(1, 5, "passes", "Reading the prompt")
    changes = resolved(found, config.changes)
    predicted, fixed = prediction(found, changes)
    context.check_cancelled()
    context.progress(2, 5, "passes", "Changing it")
    graph = found.graph
    before = graph.activation.astype(np.float64)
    held = Held(config.attention, config.norms)
    seen = run_changed(found.model, [changes], held)
    if not bool(seen.logits.isfinite().all()):
        raise overflow()
    moved = measured_nodes(found, seen)[0] - before
    context.progress(3, 5, "passes", "Changing it otherwise")
    for node, value in fixed.items():
        if graph.kind[node] == FEATURE:
            moved[node] = value
    first_layer = min(change.layer for change in changes)
    first_place = min(change.position for change in changes)
    shown = [
        node
        for node in np.flatnonzero((graph.kind == FEATURE) | (graph.kind == LOGIT)).tolist()
        if node in fixed
        or (graph.layer[node] > first_layer and graph.position[node] >= first_place)
    ]
    logits = [node for node in shown if node in found.logits and node not in fixed]
    features = [node for node in shown if graph.kind[node] == FEATURE and node not in fixed]
    of_logits = correlation(predicted[logits], moved[logits])
    compared = features if of_logits is None else logits

    def otherwise(held: Held) -> Array:
        context.check_cancelled()
        made = measured_nodes(found, run_changed(found.model, [changes], held))[0]
        return np.asarray((made - before)[compared])

    agreed = agreement(
        predicted[compared], moved[compared], otherwise(held._replace(replaced=True)), held,
        otherwise,
    )  # fmt: skip
    context.progress(4, 5, "passes", "Changing random features")
    beside = random_groups(found, changes, config, context)
    context.progress(5, 5, "passes", "Changing random features")
    of_random = beside.nodes.mean(axis=0) - before if len(beside.nodes) else None
    weights = target_weights(graph)
    return InterveneResult(
        graph=config.graph,
        attention=config.attention,
        norms=config.norms,
        changed=len(changes),
        effects=[
            NodeEffect(
                node=node,
                before=float(before[node]),
                predicted=float(predicted[node]),
                measured=float(moved[node]),
                changed=node in fixed,
                random=None
                if of_random is None or graph.kind[node] != LOGIT
                else float(of_random[node]),
            )
            for node in shown
        ],
        logit_correlation=of_logits,
        node_correlation=correlation(predicted[features], moved[features]),
        agreement=agreed,
        next_tokens=_next_tokens(found, seen, beside.probabilities, config.top),
        target=TargetChange(
            predicted=float(predicted @ weights),
            measured=float(moved @ weights),
            random=((beside.nodes - before) @ weights).tolist(),
        ),
    )


# ---------------------------------------------------------------- what is changed
def resolved(found: OpenedGraph, asked: Sequence[NodeChange]) -> list[Change]:
    """Return the changes of features and errors that are asked for, a place no more than once."""
    changes: list[Change] = []
    others = _Others(found)
    for one in asked:
        changes += _of_one(found, one, others)
    places = [(type(c), c.layer, c.position, getattr(c, "feature", -1)) for c in changes]
    if len(set(places)) < len(places):
        raise UserError("A node is changed twice.", next_step="Name each node once.")
    return changes


def _of_one(found: OpenedGraph, one: NodeChange, others: _Others) -> list[Change]:
    graph = found.graph
    if one.feature >= 0:
        return [_feature_change(found, (one.layer, one.position, one.feature), one, others)]
    nodes = list(one.nodes) or ([one.node] if one.node >= 0 else nodes_of_group(graph, one.group))
    changes: list[Change] = []
    for node in nodes:
        if not 0 <= node < graph.nodes:
            raise UserError(
                f"The graph has no node {node}.", next_step=f"It has {graph.nodes:,} nodes."
            )
        layer, position = int(graph.layer[node]), int(graph.position[node])
        if graph.kind[node] == FEATURE:
            place = (layer, position, int(graph.feature[node]))
            changes.append(_feature_change(found, place, one, others))
        elif graph.kind[node] == ERROR and one.mode in ("ablate", "multiply"):
            changes.append(ErrorChange(layer, position, 0.0 if one.mode == "ablate" else one.value))
        else:
            raise UserError(
                "Features can be changed, and errors can be ablated or multiplied; embeddings and "
                "outputs cannot.",
                next_step="Choose a feature.",
            )
    return changes


def _feature_change(
    found: OpenedGraph, place: tuple[int, int, int], one: NodeChange, others: _Others
) -> FeatureChange:
    layer, position, feature = place
    model = found.model
    if layer not in model.active or not 0 <= feature < model.members.dictionary(layer).features:
        raise UserError(
            f"The set has no feature {feature} in layer {layer}.",
            next_step="Choose a feature of the set.",
        )
    if not model.specials <= position < model.tokens:
        raise UserError(
            f"No feature can be changed at position {position}: the prompt’s own tokens stand at "
            f"{model.specials} to {model.tokens - 1}.",
            next_step="Choose one of these positions.",
        )
    match one.mode:
        case "multiply":
            return FeatureChange(*place, value=one.value, factor=True)
        case "clamp":
            return FeatureChange(*place, value=one.value)
        case "swap":
            return FeatureChange(*place, value=others.activation(one.prompt, place))
        case _:
            return FeatureChange(*place)


class _Others:
    """Other prompts from which activations are taken, each read once."""

    def __init__(self, found: OpenedGraph) -> None:
        self._found = found
        self._passes: dict[str, Pass] = {}

    def activation(self, prompt: str, place: tuple[int, int, int]) -> float:
        if prompt not in self._passes:
            self._passes[prompt] = self._read(prompt)
        return float(activations_in(self._found.model, self._passes[prompt], [place])[0, 0])

    def _read(self, prompt: str) -> Pass:
        model = self._found.model
        ids = read_prompt(self._found.lm, prompt).ids
        if len(ids) != model.tokens:
            raise UserError(
                f"The other prompt has {len(ids)} tokens and that of the graph {model.tokens}, so "
                "their positions do not belong together.",
                next_step="Write it so that it has as many tokens.",
            )
        return model.run(
            attention="free", norms="free", ids=torch.tensor([ids], device=model.ids.device)
        )


# ---------------------------------------------------------------- predicted and measured
class Prediction(NamedTuple):
    change: Array
    """(N,) float64."""
    fixed: dict[int, float]
    """Node → the change that it is given: of a feature of its activation, of an error a share."""


def prediction(found: OpenedGraph, changes: Sequence[Change]) -> Prediction:
    """Return what the graph predicts of changes.

    What features that are not in the graph do is found in the frozen model.
    """
    graph, places = found.graph, found.places
    fixed: dict[int, float] = {}
    outside: list[tuple[FeatureChange, float]] = []
    errors = {
        (int(graph.layer[n]), int(graph.position[n])): int(n)
        for n in np.flatnonzero(graph.kind == ERROR)
    }
    now = activations_in(
        found.model, found.model.seen, [c.place for c in changes if isinstance(c, FeatureChange)]
    )[0].tolist()
    values = iter(now)
    for change in changes:
        if isinstance(change, ErrorChange):
            node = errors.get((change.layer, change.position))
            if node is not None:
                fixed[node] = change.factor - 1
            continue
        before = next(values)
        delta = before * (change.value - 1) if change.factor else change.value - before
        inside = places.get(change.place)
        if inside is not None:
            fixed[inside] = delta
        else:
            outside.append((change, delta))
    direct: Array | None = None
    if outside:
        direct = np.zeros(graph.nodes)
        nodes = list(places.values())
        on_features, on_logits = direct_effects(
            found.model, outside, list(places), logit_directions(found)
        )
        direct[nodes] = on_features.numpy()
        direct[found.logits] = on_logits.numpy()
    return Prediction(predicted_change(graph, fixed, direct), fixed)


def logit_directions(found: OpenedGraph) -> Tensor:
    """Return what raises the graph's logit nodes at the head's input, (n, D)."""
    tokens = torch.from_numpy(found.graph.feature[found.logits].astype(np.int64))
    directions = found.model.logit_directions(tokens.to(found.model.ids.device))
    if found.against is None:
        return directions
    other = torch.tensor([found.against], device=found.model.ids.device)
    return directions - found.model.logit_directions(other)


def measured_nodes(found: OpenedGraph, seen: Pass) -> Array:
    """Return what the graph's nodes are in a pass, (B, N) float64: activations and logits.

    Embeddings and errors are as they were.
    """
    places = found.places
    out = np.tile(found.graph.activation.astype(np.float64), (len(seen.logits), 1))
    values = activations_in(found.model, seen, list(places))
    out[:, list(places.values())] = values.numpy()
    head = seen.head_in[:, -1].to(logit_directions(found).dtype)
    logits = found.model.centred_logits(head).detach().cpu().double().numpy()
    tokens = found.graph.feature[found.logits]
    out[:, found.logits] = logits[:, tokens]
    if found.against is not None:
        out[:, found.logits] -= logits[:, [found.against]]
    return out


def _next_tokens(
    found: OpenedGraph, seen: Pass, random_V: Tensor | None, top: int
) -> list[NextToken]:
    before = found.model.probabilities().detach()
    after = _probabilities(seen, before)[0]
    count = min(top, len(before))
    ids = [*before.topk(count).indices.tolist(), *after.topk(count).indices.tolist()]
    names = found.lm.token_bytes()
    rows = [
        NextToken(
            token=token_text(names[i]), before=float(before[i]), after=float(after[i]),
            random=None if random_V is None else float(random_V[i]),
        )
        for i in dict.fromkeys(ids)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -max(row.before, row.after))[: 2 * top]


def _probabilities(seen: Pass, like: Tensor) -> Tensor:
    """Return the next token's probabilities after a pass, (B, V)."""
    return torch.softmax(seen.logits[:, -1].to(like.dtype), dim=-1)


# ---------------------------------------------------------------- beside it
class Random(NamedTuple):
    """What happens when random groups are changed instead, R of them."""

    nodes: Array
    """(R, N): what the graph's nodes are then."""
    probabilities: Tensor | None
    """(V,), their mean; None of no group."""


def random_groups(
    found: OpenedGraph, changes: Sequence[Change], config: InterveneConfig, context: JobContext
) -> Random:
    """Change as many features of like activation in the same way, again and again.

    Of changed errors there is no such group, nor where too few features fire.
    """
    asked = [change for change in changes if isinstance(change, FeatureChange)]
    places = [change.place for change in asked]
    now = activations_in(found.model, found.model.seen, places)[0].tolist() if asked else []
    rows: list[list[Change]] = []
    for draw in range(config.random if len(asked) == len(changes) else 0):
        drawn = alike(found, now, set(places), config.seed + draw)
        if len(drawn) == len(asked):
            rows.append(
                [
                    FeatureChange(*place, value=one.value, factor=one.factor)
                    for place, one in zip(drawn, asked, strict=True)
                ]
            )
    step = max(1, _TOKENS_AT_ONCE // found.model.tokens)
    held = Held(config.attention, config.norms)
    like = found.model.probabilities().detach()
    nodes, chances = [np.zeros((0, found.graph.nodes))], []
    for first in range(0, len(rows), step):
        context.check_cancelled()
        seen = run_changed(found.model, rows[first : first + step], held)
        finite = seen.logits.flatten(1).isfinite().all(dim=1)  # the others overflow
        nodes.append(measured_nodes(found, seen)[finite.cpu().numpy()])
        chances.append(_probabilities(seen, like)[finite])
    known = bool(chances) and any(len(some) for some in chances)
    return Random(np.concatenate(nodes), torch.cat(chances).mean(dim=0) if known else None)
