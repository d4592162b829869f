"""Graphs made of numbers, of any size, that keep the rules of a traced one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from sae_desktop.circuits.reading.graph_file import (
    EMBEDDING,
    ERROR,
    FEATURE,
    LOGIT,
    Array,
    Graph,
    GraphInfo,
    write_graph,
)
from sae_desktop.circuits.reading.pruning import influence, scores

WORDS = ("<|bos|>", "The", " capital", " of", " the", " state", " with", " Dallas", " is")


def made_graph(
    *,
    layers: int = 4,
    positions: int = 9,
    features: int = 40,
    logits: int = 3,
    inputs: int = 12,
    seed: int = 0,
    name: str = "made",
    set_name: str = "set",
    tokens: tuple[str, ...] = (),
) -> Graph:
    """A graph of `features` feature nodes, spread over layers and positions.

    Each feature and logit has up to `inputs` edges from earlier layers and positions up to its
    own; they, the rest and the constant add up to `pre`, exactly up to float32.
    """
    rng = np.random.default_rng(seed)
    texts = tokens or tuple(WORDS[i % len(WORDS)] for i in range(positions))
    positions = len(texts)
    ids = rng.integers(3, 300, positions).astype(np.int32)
    where = rng.integers(0, layers * max(positions - 1, 1), features)
    nodes: list[tuple[int, int, int, int]] = [
        (-1, EMBEDDING, place, int(ids[place])) for place in range(positions)
    ]
    for number in range(features):
        layer, place = int(where[number]) % layers, int(where[number]) // layers
        nodes.append((layer, FEATURE, min(place + 1, positions - 1), 7 * number + layer))
    nodes += [(layer, ERROR, place, -1) for layer in range(layers) for place in range(positions)]
    nodes += [(layers, LOGIT, positions - 1, 40 + number) for number in range(logits)]
    nodes.sort(key=lambda node: (node[0], node[1], node[2], node[3]))
    layer, kind, place, feature = (np.array(column) for column in zip(*nodes, strict=True))
    found: list[Array] = []
    weights: list[Array] = []
    for node in range(len(nodes)):
        sources = np.zeros(0, np.int32)
        if kind[node] in (FEATURE, LOGIT):
            possible = np.flatnonzero((layer < layer[node]) & (place <= place[node]))
            sources = rng.choice(possible, min(inputs, len(possible)), replace=False)
        sizes = rng.normal(0, 1, len(sources)).astype(np.float32)
        order = np.argsort(-np.abs(sizes), kind="stable")
        found.append(sources[order].astype(np.int32))
        weights.append(sizes[order])
    counts = [len(sources) for sources in found]
    read = np.isin(kind, (FEATURE, LOGIT))
    rest = np.where(read, rng.normal(0, 0.02, len(nodes)), 0).astype(np.float32)
    constant = np.where(read, rng.normal(0, 0.2, len(nodes)), 0).astype(np.float32)
    pre = constant + rest + np.array([w.sum() for w in weights], np.float32)
    chances = np.sort(rng.dirichlet(np.ones(logits + 1))[:logits])[::-1] if logits else ()
    probability = np.zeros(len(nodes), np.float32)
    probability[kind == LOGIT] = chances
    norm = rng.uniform(1, 5, len(nodes))
    arrays: dict[str, Array] = {
        "tokens": ids,
        "nodes/kind": kind,
        "nodes/layer": layer,
        "nodes/position": place,
        "nodes/feature": feature,
        "nodes/activation": np.where(kind == LOGIT, pre, norm).astype(np.float32),
        "nodes/pre": pre,
        "nodes/constant": constant,
        "nodes/probability": probability,
        "nodes/influence": np.zeros(len(nodes), np.float32),
        "edges/offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "edges/sources": np.concatenate(found) if found else np.zeros(0, np.int32),
        "edges/weights": np.concatenate(weights) if weights else np.zeros(0, np.float32),
        "edges/rest": rest,
    }
    info = GraphInfo(
        name=name,
        set=set_name,
        model="builtin",
        prompt="".join(texts[1:]),
        token_text=texts,
        specials=1,
        target_tokens=tuple(f" answer{number}" for number in range(logits)),
        logit_mass=float(probability.sum()),
        kept_nodes=features,
        all_nodes=2 * features,
        layers=layers,
        made_at="2026-01-01T00:00:00+00:00",
    )
    graph = Graph(info, arrays)
    graph.influence = influence(graph).astype(np.float32)
    replacement, completeness = scores(graph)
    graph.info = _replaced(info, replacement, completeness)
    return graph


def _replaced(info: GraphInfo, replacement: float, completeness: float) -> GraphInfo:
    return msgspec.structs.replace(
        info, replacement_score=replacement, completeness_score=completeness
    )


def save_made_graph(path: Path, **settings: object) -> Graph:
    """Write a made graph to `path`."""
    graph = made_graph(**settings)  # type: ignore[arg-type]
    write_graph(path, graph.info, graph.arrays)
    return graph
