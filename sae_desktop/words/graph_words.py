"""What is said of a graph's nodes, edges and figures. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sae_desktop.circuits.node_names import FeaturePlace
from sae_desktop.circuits.reading.graph_file import EMBEDDING, ERROR, FEATURE, LOGIT, Graph
from sae_desktop.errors import UserError
from sae_desktop.words.amounts import MINUS, exact_count, share_text
from sae_desktop.words.feature_words import FeatureWords, feature_words
from sae_desktop.words.running_text import shown_token

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

_TOLD, _LISTED = 3, 8
"""Tokens, and features, of a group that are named."""
KIND_TITLES = {EMBEDDING: "Token", FEATURE: "Feature", ERROR: "Error", LOGIT: "Next token"}


def token_at(graph: Graph, position: int) -> str:
    """Return a token of the prompt in quotes."""
    return f"“{quoted(graph.info.token_text[position])}”"


def quoted(token: str) -> str:
    """Return a token as it stands between quotes, its leading space left out."""
    return shown_token(token.strip(" ")) or "·"


def signed(value: float, digits: int = 3) -> str:
    """Return a figure with its sign: +1.24, −0.031."""
    text = f"{abs(value):.{digits}g}" if value else "0"
    return f"{MINUS if value < 0 else '+'}{text}" if value else "0"


def plain_name(graph: Graph, node: int, logit_text: Sequence[str] = ()) -> str:
    """Return what a node is called where no index names it."""
    kind = int(graph.kind[node])
    if kind == EMBEDDING:
        return token_at(graph, int(graph.position[node]))
    if kind == LOGIT:
        number = logit_number(graph, node)
        names = logit_text or graph.info.target_tokens
        name = quoted(names[number]) if number < len(names) else f"#{int(graph.feature[node])}"
        chance = float(graph.probability[node])
        return f"“{name}” {share_text(chance, 0 if chance >= 0.1 else 1)}"
    if kind == ERROR:
        return "error"
    if graph.info.names and graph.info.names[node]:
        return graph.info.names[node]
    return f"#{int(graph.feature[node])}"


def short_name(graph: Graph, node: int) -> str:
    """Return what stands in a node's box where it is no feature: no quotes, since the box says
    what they would."""
    kind = int(graph.kind[node])
    if kind == EMBEDDING:
        return quoted(graph.info.token_text[int(graph.position[node])])
    return plain_name(graph, node).replace("“", "").replace("”", "")


def logit_number(graph: Graph, node: int) -> int:
    """Return the how-manieth of the logit nodes one is."""
    return int((graph.kind[:node] == LOGIT).sum())


def place_text(graph: Graph, node: int) -> str:
    """Return where a node is: “layer 3 at “Dallas””."""
    kind, position = int(graph.kind[node]), int(graph.position[node])
    if kind == EMBEDDING:
        return f"token {position + 1} of the prompt"
    if kind == LOGIT:
        return f"the next token after {token_at(graph, position)}"
    return f"layer {int(graph.layer[node])} at {token_at(graph, position)}"


def node_title(graph: Graph, node: int, name: str) -> str:
    """Return a node in one line: what it is called, what it is, where it is."""
    kind = int(graph.kind[node])
    if kind == FEATURE:
        number = f"feature {int(graph.feature[node])}"
        called = "" if name == f"#{int(graph.feature[node])}" else f"{name} · "
        return f"{called}{number} of {place_text(graph, node)}"
    if kind == ERROR:
        return f"Error of {place_text(graph, node)}"
    return f"{name} · {place_text(graph, node)}"


def node_tip(graph: Graph, node: int, name: str) -> str:
    """Return what hovering over a node tells."""
    kind = int(graph.kind[node])
    lines = [node_title(graph, node, name)]
    if kind == FEATURE:
        lines.append(f"Activation {float(graph.activation[node]):.3g}")
    elif kind == ERROR:
        lines.append(
            "What the features of this layer leave out here: it takes part as it is, unexplained."
        )
    if kind != LOGIT:
        lines.append(f"Influence {share_text(float(graph.influence[node]))}")
    return "\n".join(lines)


def group_place(graph: Graph, members: Sequence[int]) -> str:
    """Return what a collapsed group is: “5 features of layers 2–4 at “the”, “of””."""
    layers = [int(graph.layer[node]) for node in members]
    positions = sorted({int(graph.position[node]) for node in members})
    first, last = min(layers), max(layers)
    of = f"layer {first}" if first == last else f"layers {first}–{last}"
    tokens = ", ".join(token_at(graph, position) for position in positions[:_TOLD])
    more = f" and {len(positions) - _TOLD} more" if len(positions) > _TOLD else ""
    count = f"{len(members)} feature{'s' if len(members) > 1 else ''}"
    return f"{count} of {of} at {tokens}{more}"


def group_title(graph: Graph, members: Sequence[int], name: str) -> str:
    """Return a collapsed group in one line."""
    return f"{name} · group of {group_place(graph, members)}"


def group_tip(graph: Graph, members: Sequence[int], name: str, names: Callable[[int], str]) -> str:
    """Return what hovering over a collapsed group tells: its features, the largest first."""
    ordered = sorted(members, key=lambda node: -float(graph.influence[node]))
    lines = [group_title(graph, members, name), *(f"· {names(n)}" for n in ordered[:_LISTED])]
    if len(ordered) > _LISTED:
        lines.append(f"· and {len(ordered) - _LISTED} more")
    share = float(graph.influence[list(members)].sum()) / (float(graph.influence.sum()) or 1.0)
    lines.append(f"{share_text(share)} of all nodes’ influence")
    return "\n".join(lines)


def lacking_text(graph: Graph, node: int, lacks: str) -> str:
    """Return why a feature has a number for a name: it `lacks` its “index”, or its “set”."""
    if lacks == "set":
        of = f"the set “{graph.info.set}”" if graph.info.set else "its set"
        return f"This project does not have {of}, and so its features have no pages here."
    return f"Layer {int(graph.layer[node])} has no index yet: its features have numbers, not names."


def sum_text(graph: Graph, node: int) -> str:
    """Return how a node's inputs add up: “Inputs +1.2, not kept +0.1, constant −0.3: +1.0”."""
    kind = int(graph.kind[node])
    if kind not in (FEATURE, LOGIT):
        return ""
    _, weights = graph.inputs(node)
    whole = float(graph.pre[node])
    what = "its pre-activation" if kind == FEATURE else "its centred logit"
    return (
        f"Inputs {signed(float(weights.sum()))}, not kept {signed(float(graph.rest[node]))}, "
        f"constant {signed(float(graph.constant[node]))}: together {signed(whole)}, {what}."
    )


def shown_text(nodes: int, of_nodes: int, edges: int) -> str:
    """Return how much of a graph is shown."""
    return f"{exact_count(nodes)} of {exact_count(of_nodes)} nodes, {exact_count(edges)} edges"


def score_text(graph: Graph) -> str:
    """Return the two scores of a graph in one line."""
    info = graph.info
    return (
        f"Replacement {share_text(info.replacement_score, 0)} · "
        f"completeness {share_text(info.completeness_score, 0)}"
    )


def stability_text(stability: float | None) -> str:
    """Return a group's stability as it stands beside its name."""
    return "yours" if stability is None else share_text(stability, 0)


def read_words(
    indexes: Mapping[str, Path], places: Iterable[tuple[int, FeaturePlace]]
) -> dict[int, FeatureWords]:
    """Return what indexes say of nodes, given with their places; unreadable ones say nothing.

    `indexes` has the file of each dictionary's index.
    """
    from sae_desktop.features.reading.reader import FeatureIndex  # it brings h5py

    opened: dict[str, FeatureIndex | None] = {}
    found: dict[int, FeatureWords] = {}
    for node, place in places:
        if place.dictionary not in opened:
            opened[place.dictionary] = None
            path = indexes.get(place.dictionary)
            if path is not None:
                try:
                    opened[place.dictionary] = FeatureIndex(path)
                except (UserError, OSError, ValueError, KeyError):  # the graph is shown without
                    continue
        index = opened[place.dictionary]
        if index is not None:
            try:
                found[node] = feature_words(index, place.feature)
            except (UserError, IndexError, ValueError):
                continue
    return found
