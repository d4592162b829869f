"""An attribution graph as a page that needs nothing else: drawn, pointed at, read. Free of Qt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sae_desktop.circuits.reading.curves import make_curves, opacity_of, strongest, width_of
from sae_desktop.circuits.reading.graph_file import (
    EMBEDDING,
    ERROR,
    FEATURE,
    KINDS,
    LOGIT,
    Array,
    Graph,
)
from sae_desktop.circuits.reading.graph_view import ViewGroup, nodes_by_key
from sae_desktop.circuits.reading.node_links import input_sizes
from sae_desktop.circuits.reading.placing import Box, Placing, place
from sae_desktop.circuits.reading.pruning import target_weights
from sae_desktop.exchange.pages import check_page, write_page
from sae_desktop.language_model.names import public_name
from sae_desktop.language_model.text.token_text import visible_token

_BOX = Box(150.0, 24.0, 72.0)
_ASPECT = 1.7
_MOST_EDGES = 1500
"""Edges of a page that are drawn, and of which a node's lists are made, the strongest first."""
_LETTERS, _TOKEN_LETTERS = 22, 9


def write_graph_page(
    path: Path,
    graph: Graph,
    shown: tuple[Array, Array],
    name: Callable[[int], str],
    groups: tuple[ViewGroup, ...] = (),
    remark: str = "",
) -> None:
    """Write the page of what is shown of a graph: nodes (N,) and edges (E,).

    `name` says what a node is called. Raises UserError for another ending than a page's, and when
    it cannot be written.
    """
    check_page(path)
    info = graph.info
    likely = np.where(graph.kind == LOGIT, graph.probability, graph.influence)
    placing = place(
        np.asarray(graph.layer), np.asarray(graph.position), likely, shown[0],
        tokens=len(info.token_text), layers=info.layers, box=_BOX, aspect=_ASPECT,
    )  # fmt: skip
    about = (
        f"{public_name(info.model)}, set {info.set} · replacement score "
        f"{info.replacement_score:.0%}, completeness score {info.completeness_score:.0%} · orange "
        "raises, blue lowers"
    )
    write_page(
        path,
        "graph.html",
        title=f"Why: {info.prompt[:80]}",
        about=about,
        remark=remark,
        data={
            "width": round(placing.width), "height": round(placing.height),
            "rows": _rows(graph, placing), "columns": _columns(graph, placing),
            "nodes": _nodes(graph, placing, shown[0], name, groups),
            "edges": _edges(graph, placing, shown),
            "groups": [group.name for group in groups],
        },
    )  # fmt: skip


def _rows(graph: Graph, placing: Placing) -> list[dict[str, Any]]:
    layers = graph.info.layers
    names = ["next", *(str(layer) for layer in range(layers - 1, -1, -1)), "prompt"]
    middles = (placing.rows[:-1] + placing.rows[1:]) / 2
    return [{"y": round(float(y)), "text": text} for y, text in zip(middles, names, strict=True)]


def _columns(graph: Graph, placing: Placing) -> list[dict[str, Any]]:
    middles = (placing.columns[:-1] + placing.columns[1:]) / 2
    texts = [_token(text) for text in graph.info.token_text]
    return [{"x": round(float(x)), "text": text} for x, text in zip(middles, texts, strict=True)]


def _nodes(
    graph: Graph,
    placing: Placing,
    shown: Array,
    name: Callable[[int], str],
    groups: tuple[ViewGroup, ...],
) -> list[dict[str, Any]]:
    keys = nodes_by_key(graph)
    group_of = {keys[k]: n for n, group in enumerate(groups) for k in group.members if k in keys}
    between = (graph.kind == FEATURE) | (graph.kind == ERROR)
    most = float(np.asarray(graph.influence)[between].max(initial=0.0)) or 1.0
    found = []
    for node in np.flatnonzero(shown).tolist():
        kind, text = int(graph.kind[node]), name(node)
        letters = _TOKEN_LETTERS if kind == EMBEDDING else _LETTERS
        token = _token(graph.info.token_text[int(graph.position[node])])
        where = f"layer {int(graph.layer[node])} at “{token}”"
        number = f"feature {int(graph.feature[node])}, " if kind == FEATURE else ""
        place_ = {EMBEDDING: f"token “{token}”", LOGIT: "next token"}.get(kind, number + where)
        found.append(
            {
                "id": node, "kind": KINDS[kind], "text": _cut(text, letters), "name": text,
                "where": place_, "x": round(float(placing.x[node]), 1),
                "y": round(float(placing.y[node]), 1),
                "w": float(placing.widths[node]), "h": placing.box.height,
                "share": round((float(graph.influence[node]) / most) ** 0.5, 3),
                "influence": round(float(graph.influence[node]), 5),
                "activation": round(float(graph.activation[node]), 4),
                "probability": round(float(graph.probability[node]), 4),
                "group": group_of.get(node, -1),
            }
        )  # fmt: skip
    return found


def _edges(graph: Graph, placing: Placing, shown: tuple[Array, Array]) -> list[dict[str, Any]]:
    targets = graph.targets()
    sources, weights = np.asarray(graph.sources), np.asarray(graph.weights)
    sizes = input_sizes(graph, targets)
    shares = np.abs(weights) / np.where(sizes > 0, sizes, 1.0)[targets]
    importance = shares * (np.asarray(graph.influence, np.float64) + target_weights(graph))[targets]
    there = shown[1] & shown[0][sources] & shown[0][targets]
    chosen = strongest(importance, there, _MOST_EDGES)
    curves = make_curves(placing, sources, targets, weights, chosen, importance)
    found = []
    for number, edge in enumerate(curves.edge.tolist()):
        points = [f"{x:.1f} {y:.1f}" for x, y in curves.points[number]]
        level = int(curves.level[number])
        found.append(
            {
                "s": int(sources[edge]), "t": int(targets[edge]),
                "w": float(f"{float(weights[edge]):.4g}"),
                "share": round(float(shares[edge]), 4),
                "d": f"M{points[0]} C{points[1]} {points[2]} {points[3]}",
                "width": width_of(level), "opacity": opacity_of(level),
            }
        )  # fmt: skip
    return found


def _token(text: str) -> str:
    return visible_token(text.strip(" ")) or "·"


def _cut(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    before = letters * 2 // 3
    return f"{text[:before].rstrip()}…{text[-(letters - before - 1) :].lstrip()}"
