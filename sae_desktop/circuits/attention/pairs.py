"""The job `head`: where a head looks, and which pairs of nodes make the query meet the key.

With norm denominators frozen (those of queries and keys, too) a head's query at one position and
its key at another are sums over the nodes of the graph, so their product is a sum over pairs.
T tokens, d numbers of a head, S sources, n rows: nodes, all that is not in the graph, biases.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sae_desktop.circuits.asking_config import HeadConfig, HeadResult, QueryKeyPair
from sae_desktop.circuits.attributing import Attribution
from sae_desktop.circuits.freezing import attention_of
from sae_desktop.circuits.opened_graph import OpenedGraph, open_graph
from sae_desktop.circuits.reading.graph_file import LOGIT
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.sites.resolve import decoder_layers
from sae_desktop.limits import refuse_beyond_limits

CONSTANT, OUTSIDE = -1, -2
"""In the place of a node: biases, and features that fire but are not in the graph."""
_LISTED = 20


def head(config: HeadConfig, context: JobContext) -> HeadResult:
    """Return a head's pattern, and what each pair of nodes adds to one score.

    Raises UserError for a head or a position that is not there, and as `open_graph`.
    """
    refuse_beyond_limits(config)
    context.progress(0, 2, "passes", "Reading the prompt")
    found = open_graph(config.project, config.graph, config.device)
    model = found.model
    if not 0 <= config.layer < model.layers:
        raise UserError(
            f"The model has no layer {config.layer}.",
            next_step=f"Its layers are 0 to {model.layers - 1}.",
        )
    seen = _Seen(found, config.layer)
    context.check_cancelled()
    context.progress(1, 2, "passes", "Taking the score apart")
    pattern = seen.pattern
    if not 0 <= config.head < len(pattern):
        raise UserError(
            f"Layer {config.layer} has no head {config.head}.",
            next_step=f"Its heads are 0 to {len(pattern) - 1}.",
        )
    query, key = _positions(config, pattern[config.head], model.specials)
    nodes, scores = seen.pair_scores(config.head, query, key)
    context.progress(2, 2, "passes", "Taking the score apart")
    order = scores.abs().flatten().argsort(descending=True)[: config.top]
    pairs = [
        QueryKeyPair(
            query_node=nodes[place // len(nodes)],
            key_node=nodes[place % len(nodes)],
            weight=float(scores.flatten()[place]),
        )
        for place in order.tolist()
    ]
    score = float(scores.sum())
    return HeadResult(
        layer=config.layer,
        head=config.head,
        heads=len(pattern),
        pattern=[[round(float(v), 5) for v in row] for row in pattern[config.head]],
        query=query,
        key=key,
        score=score,
        pairs=pairs,
        rest=score - sum(pair.weight for pair in pairs),
        by_query=_largest(nodes, scores.sum(1)),
        by_key=_largest(nodes, scores.sum(0)),
    )


def _positions(config: HeadConfig, pattern_TT: Tensor, specials: int) -> tuple[int, int]:
    tokens = len(pattern_TT)
    query = tokens - 1 if config.query == -1 else config.query
    for place in (query, config.key):
        if not (0 <= place < tokens or place == config.key == -1):
            raise UserError(
                f"The prompt has no position {place}.", next_step=f"It has 0 to {tokens - 1}."
            )
    if config.key > query:
        raise UserError(
            "A head looks at no later position than its own.",
            next_step="Choose the later position as the one that looks.",
        )
    if config.key >= 0:
        return query, config.key
    row = pattern_TT[query].clone()
    row[query] = -1
    row[:specials] = -1
    return query, int(row.argmax()) if float(row.max()) > 0 else query


def _largest(nodes: list[int], sums: Tensor) -> list[tuple[int, float]]:
    order = sums.abs().argsort(descending=True)[:_LISTED].tolist()
    return [(nodes[place], float(sums[place])) for place in order]


class _Seen:
    """Queries and keys of one layer, attached to what enters it."""

    def __init__(self, found: OpenedGraph, layer: int) -> None:
        model = found.model
        self._found, self._layer = found, layer
        kept: dict[nn.Module, tuple[Tensor, Tensor, float]] = {}

        def see(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, scale: float) -> None:
            kept[module] = (query, key, scale)

        freezer = model.freezer
        freezer.see, freezer.of_queries = see, True
        try:
            model.seen = model.run(attention="record", norms="record", cut=True)
        finally:
            freezer.see, freezer.of_queries = None, False
        module = attention_of(freezer, decoder_layers(model.lm.model)[layer])
        self.pattern = freezer.patterns[module][0].float().cpu()
        """(H, T, T)."""
        self._query, self._key, self._scale = kept[module]
        self._attribution = Attribution(model)

    def pair_scores(self, number: int, query: int, key: int) -> tuple[list[int], Tensor]:
        """Return the rows' nodes (n) and what each pair adds, (n, n): row the query’s, float64."""
        groups = self._query.shape[1] // self._key.shape[1]
        nodes, of_query = self._by_node(self._query[0, number, query])
        _, of_key = self._by_node(self._key[0, number // groups, key])
        return nodes, of_query @ of_key.T * self._scale

    def _by_node(self, vector_d: Tensor) -> tuple[list[int], Tensor]:
        """Return what each row adds to a query or a key, (n, d), float64 on the CPU."""
        model, layer = self._found.model, self._layer
        eye = torch.eye(len(vector_d), dtype=vector_d.dtype, device=vector_d.device)
        (grads,) = torch.autograd.grad(
            vector_d, [model.seen.entered[layer]], eye, is_grads_batched=True, retain_graph=True
        )
        edges_dS = self._attribution.edges_of_stream(layer, grads[:, 0]).cpu().double()
        whole = vector_d.detach().cpu().double()
        graph = self._found.graph
        sources = self._attribution.sources
        node_of = {
            key: node
            for node, key in enumerate(
                zip(graph.kind.tolist(), graph.layer.tolist(), graph.position.tolist(),
                    np.where(graph.kind < LOGIT, graph.feature, -1).tolist(), strict=True)
            )
            if graph.kind[node] < LOGIT
        }  # fmt: skip
        columns = zip(
            sources.kinds.tolist(), sources.layers.tolist(), sources.positions.tolist(),
            sources.ids.tolist(), strict=True,
        )  # fmt: skip
        placed = torch.tensor([node_of.get(key, graph.nodes) for key in columns])
        summed = torch.zeros(graph.nodes + 2, len(vector_d), dtype=torch.float64)
        summed.index_add_(0, placed, edges_dS.T)
        summed[-1] = whole - edges_dS.sum(1)
        inside = (graph.kind < LOGIT).nonzero()[0].tolist()
        rows = [*inside, graph.nodes, graph.nodes + 1]
        return [*inside, OUTSIDE, CONSTANT], summed[rows]
