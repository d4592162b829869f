"""circuit-tracer's JSON of a graph, written and read. Free of torch and Qt.

    metadata  slug, scan, transcoder_list, prompt_tokens, prompt, node_threshold, schema_version
    qParams   pinnedIds, supernodes [[name, node id …] …], linkType, clickedId, sg_pos
    nodes     node_id, feature, layer, ctx_idx, feature_type, token_prob, is_target_logit, …
    links     source, target, weight

A node's id is `{layer}_{feature}_{position}`; of an embedding `E_{token}_{position}`, of an error
`0_{layer}_{position}`, of a logit `{layers + 1}_{token}_{position}`. The third is also that of
the feature of that number in layer 0: where a graph has both, the error's is written with “error”
in front, and a link by an id that two nodes of a file bear goes to the first of them. What an
edge list does not say (constants, edges that were pruned) is in a node's rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
)
from sae_desktop.circuits.reading.pruning import Pruned, influence, scores
from sae_desktop.errors import UserError
from sae_desktop.storage.faults import explained, format_bytes

MOST_BYTES = 1_000_000_000
MOST_NODES = 2_000_000
_LARGEST_PLACE = 2**31 - 1
_TYPES = {
    EMBEDDING: "embedding",
    FEATURE: "cross layer transcoder",
    ERROR: "mlp reconstruction error",
    LOGIT: "logit",
}


class _Node(msgspec.Struct, gc=False):
    node_id: str
    layer: str | int
    ctx_idx: int
    feature_type: str
    token_prob: float | None = None
    activation: float | None = None
    clerp: str | None = None


class _Link(msgspec.Struct, gc=False):
    source: str
    target: str
    weight: float


class _Metadata(msgspec.Struct):
    slug: str = ""
    scan: str | list[str] | None = None
    prompt: str = ""
    prompt_tokens: list[str] = []


class _Params(msgspec.Struct):
    pinnedIds: list[str] = []
    supernodes: list[list[str]] = []


class _File(msgspec.Struct):
    metadata: _Metadata
    nodes: list[_Node]
    links: list[_Link]
    qParams: _Params | None = None


class ReadGraph(NamedTuple):
    graph: Graph
    pins: tuple[int, ...]
    """Nodes."""
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and nodes of each."""
    dropped: int
    """Links that lead to no node, or backwards."""


# ---------------------------------------------------------------------- written
def tracer_json(
    graph: Graph,
    kept: Pruned,
    names: Mapping[int, str],
    *,
    threshold: float,
    pins: Sequence[int] = (),
    groups: Sequence[tuple[str, Sequence[int]]] = (),
) -> bytes:
    """Return a graph as circuit-tracer writes it, with the nodes and edges that are `kept`.

    `names` are what nodes are called; pins and groups go where its page keeps them.
    """
    ids = _ids(graph)
    ordered = np.argsort(-graph.influence, kind="stable")
    sums = np.cumsum(graph.influence[ordered], dtype=np.float64)
    shares = np.zeros(graph.nodes)
    shares[ordered] = sums / (sums[-1] if graph.nodes and sums[-1] > 0 else 1.0)
    shown = np.flatnonzero(kept.nodes)
    first_logit = int(np.argmax(graph.kind == LOGIT)) if np.any(graph.kind == LOGIT) else -1
    nodes = [
        _node(graph, int(node), ids, float(shares[node]), names.get(int(node), ""), first_logit)
        for node in shown
    ]
    targets = graph.targets()
    edges = np.flatnonzero(kept.edges)
    links = [
        {"source": ids[source], "target": ids[target], "weight": weight}
        for source, target, weight in zip(
            graph.sources[edges].tolist(), targets[edges].tolist(),
            graph.weights[edges].tolist(), strict=True,
        )
    ]  # fmt: skip
    there = set(shown.tolist())
    told = {
        "metadata": {
            "slug": graph.info.name,
            "scan": graph.info.set,
            "transcoder_list": [],
            "prompt_tokens": list(graph.info.token_text),
            "prompt": graph.info.prompt,
            "node_threshold": threshold,
            "schema_version": 1,
        },
        "qParams": {
            "pinnedIds": [ids[node] for node in pins if node in there],
            "supernodes": [
                [name, *(ids[node] for node in members if node in there)]
                for name, members in groups
            ],
            "linkType": "both",
            "clickedId": "",
            "sg_pos": "",
        },
        "nodes": nodes,
        "links": links,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def _ids(graph: Graph) -> list[str]:
    found: list[str] = []
    taken: set[str] = set()
    columns = (graph.kind, graph.layer, graph.position, graph.feature)
    for kind, layer, position, feature in zip(*(c.tolist() for c in columns), strict=True):
        if kind == EMBEDDING:
            name = f"E_{feature}_{position}"
        elif kind == ERROR:
            name = f"0_{layer}_{position}"
            name = f"error_{layer}_{position}" if name in taken else name
        else:
            name = f"{layer + 1 if kind == LOGIT else layer}_{feature}_{position}"
        taken.add(name)
        found.append(name)
    return found


def _node(
    graph: Graph, node: int, ids: list[str], share: float, name: str, first_logit: int
) -> dict[str, Any]:
    kind, layer = int(graph.kind[node]), int(graph.layer[node])
    position, feature = int(graph.position[node]), int(graph.feature[node])
    told: dict[str, Any] = {
        "node_id": ids[node],
        "feature": feature,
        "layer": str(layer),
        "ctx_idx": position,
        "feature_type": _TYPES[kind],
        "token_prob": 0.0,
        "is_target_logit": False,
        "run_idx": 0,
        "reverse_ctx_idx": 0,
        "jsNodeId": f"{layer}_{feature}-0",
        "clerp": name,
        "influence": share,
        "activation": None,
    }
    if kind == FEATURE:
        pair = layer + feature
        told |= {
            "feature": pair * (pair + 1) // 2 + feature,
            "activation": float(graph.activation[node]),
        }
    elif kind == ERROR:
        told |= {"feature": -1, "jsNodeId": f"{layer}_{position}-0"}
    elif kind == EMBEDDING:
        told |= {"feature": position, "layer": "E", "jsNodeId": f"E_{feature}-{position}"}
    else:
        chance = float(graph.probability[node])
        told |= {
            "layer": str(layer + 1),
            "token_prob": chance,
            "is_target_logit": node == first_logit,
            "jsNodeId": f"L_{feature}-{position}",
            "clerp": name or f"Output (p={chance:.3f})",
            "influence": None,
        }
    return told


# ---------------------------------------------------------------------- read
def read_tracer_json(path: Path) -> ReadGraph:
    """Return the graph in a file of circuit-tracer's, or of Neuronpedia's.

    Links that lead to no node, or not to a later layer, are left out and counted. Raises UserError
    for a file that is too large, is not such a graph, or whose links are all of that kind.
    """
    with explained(path, reading=True):
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(
                f"“{path.name}” has {format_bytes(size)}; a graph of up to "
                f"{format_bytes(MOST_BYTES)} can be read.",
                next_step="Prune it further where it was made.",
            )
        data = path.read_bytes()
    try:
        file = msgspec.json.decode(data, type=_File)
        if len(file.nodes) > MOST_NODES:
            raise ValueError(f"it has {len(file.nodes):,} nodes")
        return _graph(file, path)
    except (ValueError, RecursionError, OverflowError) as error:
        raise UserError(
            f"“{path.name}” is not a graph of circuit-tracer’s: {error}.",
            next_step="Choose the JSON file of one graph, as circuit-tracer or Neuronpedia "
            "writes it.",
        ) from error


class _Columns(NamedTuple):
    kind: list[int]
    layer: list[int]
    position: list[int]
    feature: list[int]


def _graph(file: _File, path: Path) -> ReadGraph:
    found, layers = _columns(file.nodes)
    place = np.lexsort((found.feature, found.position, found.kind, found.layer))
    node_of: dict[str, int] = {}
    for new, old in enumerate(place.tolist()):
        name = file.nodes[old].node_id
        if name not in node_of or found.kind[old] == FEATURE:
            node_of[name] = new
    layer, kind = np.array(found.layer)[place], np.array(found.kind)[place]
    ordered = [file.nodes[old] for old in place.tolist()]
    sources, weights, offsets, dropped = _edges(file.links, node_of, layer)
    sums = np.concatenate([[0.0], np.cumsum(weights, dtype=np.float64)])
    sums = sums[offsets[1:]] - sums[offsets[:-1]]
    activation = np.array([node.activation or 0.0 for node in ordered], np.float32)
    activation = np.where(kind == LOGIT, sums, activation)
    pre = np.where(kind == FEATURE, activation, np.where(kind == LOGIT, sums, 0))
    tokens = _token_texts(file.metadata, found)
    ids = np.full(len(tokens), -1, np.int32)
    for number in np.flatnonzero(kind == EMBEDDING):
        old = place[number]
        ids[found.position[old]] = found.feature[old]
    scan = file.metadata.scan
    chances = np.array([node.token_prob or 0.0 for node in ordered], np.float32)
    logits = kind == LOGIT
    features = int((kind == FEATURE).sum())
    names = tuple(node.clerp or "" for node in ordered)
    info = GraphInfo(
        name=path.stem, set=scan if isinstance(scan, str) else "", model="",
        prompt=file.metadata.prompt, token_text=tokens, layers=layers,
        target_tokens=tuple(_output(node) for node in ordered if node.feature_type == "logit"),
        logit_mass=float(chances[logits].sum()), kept_nodes=features, all_nodes=features,
        origin=path.name, names=names if any(names) else (),
    )  # fmt: skip
    arrays: dict[str, Array] = {
        "tokens": ids,
        "nodes/kind": kind.astype(np.uint8),
        "nodes/layer": layer.astype(np.int16),
        "nodes/position": np.array(found.position, np.int32)[place],
        "nodes/feature": np.array(found.feature, np.int64)[place],
        "nodes/activation": activation.astype(np.float32),
        "nodes/pre": pre.astype(np.float32),
        "nodes/constant": np.zeros(len(kind), np.float32),
        "nodes/probability": np.where(logits, chances, 0).astype(np.float32),
        "nodes/influence": np.zeros(len(kind), np.float32),
        "edges/offsets": offsets,
        "edges/sources": sources,
        "edges/weights": weights,
        "edges/rest": np.where(kind == FEATURE, pre - sums, 0).astype(np.float32),
    }
    graph = Graph(info, arrays)
    graph.influence = influence(graph).astype(np.float32)
    measured = scores(graph)
    graph.info = msgspec.structs.replace(
        info, replacement_score=measured.replacement, completeness_score=measured.completeness
    )
    told = file.qParams or _Params()
    pins = tuple(node_of[name] for name in told.pinnedIds if name in node_of)
    groups = tuple(
        (members[0], tuple(node_of[name] for name in members[1:] if name in node_of))
        for members in told.supernodes
        if members
    )
    return ReadGraph(graph, pins, groups, dropped)


def _columns(nodes: list[_Node]) -> tuple[_Columns, int]:
    """Return what the nodes are, and how many layers there are. Raises ValueError."""
    found = _Columns([], [], [], [])
    last, logit_layer = -1, 0
    for node in nodes:
        kind = _kind(node)
        layer = -1 if kind == EMBEDDING else int(node.layer)
        if not 0 <= node.ctx_idx < _LARGEST_PLACE or not -1 <= layer < 2**15 - 2:
            raise ValueError(f"node “{node.node_id}” stands nowhere")
        if kind == LOGIT:
            logit_layer = max(logit_layer, layer)
        else:
            last = max(last, layer)
        found.kind.append(kind)
        found.layer.append(layer)
        found.position.append(node.ctx_idx)
        found.feature.append(-1 if kind == ERROR else _feature(node))
    layers = max(last + 1, logit_layer - 1, 0)
    for number, kind in enumerate(found.kind):
        if kind == LOGIT:
            found.layer[number] = layers
    return found, layers


def _kind(node: _Node) -> int:
    kind = next((k for k, name in _TYPES.items() if name == node.feature_type), None)
    if kind is not None:
        return kind
    if "transcoder" in node.feature_type or node.feature_type in ("lorsa", "sae"):
        return FEATURE
    if "error" in node.feature_type:
        return ERROR
    raise ValueError(f"node “{node.node_id}” is a “{node.feature_type}”")


def _feature(node: _Node) -> int:
    parts = node.node_id.split("_")
    try:
        number = int(parts[1])
    except (IndexError, ValueError):
        raise ValueError(f"the id “{node.node_id}” does not name a feature") from None
    if not -1 <= number < 2**62:
        raise ValueError(f"the id “{node.node_id}” does not name a feature")
    return number


def _token_texts(metadata: _Metadata, found: _Columns) -> tuple[str, ...]:
    needed = max(found.position, default=-1) + 1
    texts = list(metadata.prompt_tokens)
    if needed > len(texts) + MOST_NODES:
        raise ValueError("a node stands far beyond the prompt")
    return tuple(texts + ["?"] * (needed - len(texts)))


def _output(node: _Node) -> str:
    """Return the token in 'Output " Paris" (p=0.9)', or the whole name."""
    name = node.clerp or node.node_id
    first, last = name.find('"'), name.rfind('"')
    return name[first + 1 : last] if 0 <= first < last else name


def _edges(
    links: list[_Link], node_of: dict[str, int], layer: Array
) -> tuple[Array, Array, Array, int]:
    """Return sources, weights and offsets by target, the largest first, and how many are out."""
    count = len(layer)
    ends = np.array(
        [(node_of.get(link.source, -1), node_of.get(link.target, -1)) for link in links], np.int64
    ).reshape(-1, 2)
    weights = np.array([link.weight for link in links], np.float32)
    fine = (ends >= 0).all(axis=1) & np.isfinite(weights)
    fine[fine] = layer[ends[fine, 0]] < layer[ends[fine, 1]]
    dropped = int((~fine).sum())
    if links and dropped == len(links):
        raise ValueError("none of its links leads from one of its nodes to a later one")
    ends, weights = ends[fine], weights[fine]
    order = np.lexsort((-np.abs(weights), ends[:, 1]))
    counts = np.bincount(ends[:, 1], minlength=count)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return ends[order, 0].astype(np.int32), weights[order], offsets, dropped
