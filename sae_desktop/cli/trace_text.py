"""What commands on graphs say, for a person at a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from sae_desktop.circuits.config import TraceEstimate, TraceResult
from sae_desktop.circuits.reading.graph_file import KINDS, LOGIT
from sae_desktop.circuits.reading.node_links import nodes_of_group
from sae_desktop.cli.node_text import NodeTexts
from sae_desktop.cli.render import meaning, table
from sae_desktop.errors import UserError
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import elapsed_text, share_text, signed_text


def traced(result: TraceResult, project: Path) -> str:
    """Return what a trace has found, and how to go on."""
    lines = [
        f"“{result.name}”: {result.features:,} of {result.active_features:,} active features on "
        f"{result.tokens:,} tokens, {result.edges:,} edges.",
        _targets(result.targets, result.probabilities),
        f"Replacement score {result.replacement_score:.3f}, completeness score "
        f"{result.completeness_score:.3f}; {share_text(result.kept_edges)} of the edges’ size is "
        "kept.",
        *map(meaning, ("Replacement score", "Completeness score")),
        f"{format_bytes(result.file_bytes)} in {result.path}; {elapsed_text(result.seconds)}, "
        f"{format_bytes(result.peak_bytes)} of memory beside model and set.",
        f"Its nodes: sae-desktop trace show {shlex.join([str(project), result.name])}",
    ]
    return "\n".join(lines)


def estimate(result: TraceEstimate) -> str:
    """Return what a trace takes."""
    lines = [
        f"{len(result.tokens):,} tokens, about {result.active_features:,} active features, "
        f"{result.feature_nodes:,} of them as nodes.",
        _targets(result.targets, result.probabilities),
        f"It takes about {format_bytes(result.memory_bytes)} of memory "
        f"({format_bytes(result.free_memory_bytes)} free), up to "
        f"{format_bytes(result.disk_bytes)} on the disk ({format_bytes(result.free_disk_bytes)} "
        f"free) and {elapsed_text(result.seconds)}.",
        result.problem or "It fits.",
    ]
    return "\n".join(line for line in lines if line)


def _targets(tokens: tuple[str, ...], chances: tuple[float, ...]) -> str:
    if len(chances) < len(tokens):  # a difference
        return f"Explained: “{visible_token(tokens[0])}” against “{visible_token(tokens[1])}”."
    told = [
        f"“{visible_token(token)}” {share_text(chance)}"
        for token, chance in zip(tokens, chances, strict=False)
    ]
    return f"Explained: {', '.join(told)}." if told else ""


def graphs(result: dict[str, Any]) -> str:
    """Return the graphs of a project as a table."""
    if not result["graphs"]:
        return "No graphs yet. Make one with sae-desktop trace run."
    rows = [
        (g["name"], g["error"], "–", "–", "–", "–")
        if "error" in g
        else (
            g["name"],
            _short(g["prompt"]),
            f"{g['features']:,}",
            f"{g['replacement_score']:.3f}",
            f"{g['completeness_score']:.3f}",
            format_bytes(g["bytes"]),
        )
        for g in result["graphs"]
    ]
    heads = ("graph", "prompt", "features", "replacement", "completeness", "size")
    return table(heads, rows, left={0, 1})


def _short(prompt: str) -> str:
    shown = visible_token(prompt)
    return shown if len(shown) <= 48 else f"{shown[:23]}…{shown[-24:]}"


def shown(
    texts: NodeTexts, node: int, most: int, kind: str = "all", group: str = ""
) -> dict[str, Any]:
    """Return the nodes of most influence, or the inputs of one; of one kind or group.

    Raises UserError for a node or group that is not there.
    """
    graph = texts.graph
    if node >= graph.nodes:
        raise UserError(
            f"There is no node {node} in the graph.",
            next_step=f"Nodes are numbered 0 to {graph.nodes - 1}.",
        )
    among = np.ones(graph.nodes, bool) if kind == "all" else graph.kind == KINDS.index(kind)
    if group:
        among &= np.isin(np.arange(graph.nodes), nodes_of_group(graph, group))
    if node >= 0:
        sources, weights = graph.inputs(node)
        rows = [number for number, source in enumerate(sources) if among[source]][:most]
        found = [{**_node(texts, int(sources[row])), "weight": float(weights[row])} for row in rows]
        return {"of": _node(texts, node), "nodes": found, "rest": float(graph.rest[node])}
    targets = np.flatnonzero((graph.kind == LOGIT) & among)
    others = np.flatnonzero((graph.kind != LOGIT) & among)
    first = others[np.argsort(-graph.influence[others], kind="stable")[:most]]
    return {
        "of": None,
        "nodes": [_node(texts, int(number)) for number in (*targets, *first)],
        "left_out": len(others) - len(first),
        "replacement_score": graph.info.replacement_score,
        "completeness_score": graph.info.completeness_score,
    }


def _node(texts: NodeTexts, number: int) -> dict[str, Any]:
    graph = texts.graph
    position = int(graph.position[number])
    logits = np.flatnonzero(graph.kind == LOGIT)
    target = int(np.searchsorted(logits, number))
    is_target = graph.kind[number] == LOGIT and target < len(graph.info.target_tokens)
    return {
        "node": number,
        "kind": KINDS[int(graph.kind[number])],
        "layer": int(graph.layer[number]),
        "position": position,
        "token": graph.info.token_text[position],
        "feature": int(graph.feature[number]),
        "name": texts.name(number),
        "activation": float(graph.activation[number]),
        "influence": float(graph.influence[number]),
        "probability": float(graph.probability[number]) if is_target else None,
        "target": graph.info.target_tokens[target] if is_target else "",
    }


def _called(node: dict[str, Any]) -> str:
    """Return what a node is called in its row."""
    if node["kind"] == "logit":
        return visible_token(node["target"])
    if node["kind"] != "feature":
        return ""
    number = f"#{node['feature']}"
    return number if node["name"] == number else f"{number}  {node['name']}"


def _worth(node: dict[str, Any], of: bool) -> str:
    """Return the last figure of a node's row; of a target its probability."""
    if of:
        return signed_text(node["weight"], 4)
    if node["kind"] == "logit":
        return "" if node["probability"] is None else share_text(node["probability"])
    return share_text(node["influence"])


def nodes(result: dict[str, Any]) -> str:
    """Return nodes as a table, and what its figures are."""
    of = result["of"]
    rows = [
        (
            str(node["node"]),
            node["kind"],
            str(node["layer"]) if node["layer"] >= 0 else "–",
            f"{node['position']} {visible_token(node['token'])}",
            _called(node),
            f"{node['activation']:,.4g}",
            _worth(node, of is not None),
        )
        for node in result["nodes"]
    ]
    last = "adds" if of is not None else "influence"
    text = table(
        ("node", "kind", "layer", "token", "feature or target", "activation", last),
        rows,
        left={1, 3, 4},
    )
    if of is None:
        left = result["left_out"]
        more = (
            f"{left:,} more node{'s' * (left > 1)} with less influence (--most, --kind)."
            if left
            else ""
        )
        targets = any(node["kind"] == "logit" for node in result["nodes"])
        told = "Of a target the activation is its logit, the influence its probability." * targets
        return "\n".join(line for line in (text, meaning("Influence"), told, more) if line)
    called = _called(of) or of["token"]
    return (
        f"{text}\nWhat each adds to node {of['node']} (“{called}”), which is "
        f"{of['activation']:,.4g}. Edges that were not kept add up to "
        f"{signed_text(result['rest'], 4)}; the remainder is a constant (biases)."
    )
