"""The job `edge_heads`: which attention heads carry a link between two positions.

In the frozen model every path of a link that crosses positions does so for the last time in one
head. A head's share is the sum of the paths whose last crossing it is: what the source adds, by
all paths, to the values that the head reads at other positions, times its pattern, times how much
the target reads of the head's output by paths that stay at the target's position. So the shares of
all heads add up to the link. H heads, T tokens, d numbers of a head, D width.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sae_desktop.circuits.asking_config import EdgeHeadsConfig, EdgeHeadsResult, HeadShare
from sae_desktop.circuits.freezing import attention_of
from sae_desktop.circuits.opened_graph import OpenedGraph, open_graph
from sae_desktop.circuits.reading.graph_file import EMBEDDING, ERROR, FEATURE, LOGIT
from sae_desktop.circuits.replacement import ReplacementModel
from sae_desktop.circuits.testing.intervene import logit_directions
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.sites.capture import watch
from sae_desktop.language_model.sites.resolve import Site, decoder_layers, hook_point

_LARGEST_FACTOR = 1e4


@dataclass(frozen=True)
class Written:
    """What a source writes: layer → a vector (D,) at its position; −1: the embedding."""

    position: int
    vectors: dict[int, Tensor]


@dataclass(frozen=True)
class Read:
    """What a target reads: a vector at a layer and position; the number of layers: the head."""

    layer: int
    position: int
    vector: Tensor


@dataclass(frozen=True)
class Shares:
    by_head: Tensor
    """(L, H), through positions that are not the target's."""
    direct: Tensor
    """(L, H): of it, from the source's own position."""
    own: float
    """What stays at one position."""

    @property
    def weight(self) -> float:
        return float(self.by_head.sum()) + self.own


def edge_heads(config: EdgeHeadsConfig, context: JobContext) -> EdgeHeadsResult:
    """Return what each head carries of a link, the largest first.

    Raises UserError for nodes that are not there or between which there can be no link, and as
    `open_graph`.
    """
    context.progress(0, 2, "passes", "Reading the prompt")
    found = open_graph(config.project, config.graph, config.device)
    _require_link(found, config.source, config.target)
    context.check_cancelled()
    context.progress(1, 2, "passes", "Following the link")
    shares = head_shares(
        found.model, written_by(found, config.source), read_by(found, config.target)
    )
    context.progress(2, 2, "passes", "Following the link")
    sources, weights = found.graph.inputs(config.target)
    stored = float(weights[sources == config.source].sum())
    heads = [
        HeadShare(
            layer=layer,
            head=head,
            weight=float(shares.by_head[layer, head]),
            direct=float(shares.direct[layer, head]),
        )
        for layer, head in torch.nonzero(shares.by_head).tolist()
    ]
    heads.sort(key=lambda one: -abs(one.weight))
    return EdgeHeadsResult(
        source=config.source,
        target=config.target,
        weight=shares.weight,
        stored=stored,
        heads=heads,
        own=shares.own,
    )


def _require_link(found: OpenedGraph, source: int, target: int) -> None:
    graph = found.graph
    for node in (source, target):
        if not 0 <= node < graph.nodes:
            raise UserError(
                f"The graph has no node {node}.", next_step=f"It has {graph.nodes:,} nodes."
            )
    if graph.kind[target] not in (FEATURE, LOGIT) or graph.kind[source] == LOGIT:
        raise UserError(
            "A link leads from an embedding, a feature or an error to a feature or an output.",
            next_step="Choose two nodes that are linked.",
        )
    if (
        graph.layer[source] >= graph.layer[target]
        or graph.position[source] > graph.position[target]
    ):
        raise UserError(
            "No link leads to an earlier layer or an earlier token.",
            next_step="Choose the earlier node as the source.",
        )


def written_by(found: OpenedGraph, node: int) -> Written:
    """Return what a node writes."""
    graph, model = found.graph, found.model
    kind, layer, position = (int(a[node]) for a in (graph.kind, graph.layer, graph.position))
    if kind == EMBEDDING:
        return Written(position, {-1: model.seen.embedding[0, position].detach()})
    if kind == ERROR:
        return Written(position, {layer: model.errors[layer][position]})
    ids = torch.tensor([int(graph.feature[node])], device=model.ids.device)
    size = float(graph.activation[node])
    return Written(
        position,
        {
            later: model.members.decoders(layer, later, ids)[0] * size
            for later in range(layer, model.layers)
            if model.members.writes_to(layer, later)
        },
    )


def read_by(found: OpenedGraph, node: int) -> Read:
    """Return what a feature or a logit reads."""
    graph, model = found.graph, found.model
    position = int(graph.position[node])
    if graph.kind[node] == LOGIT:
        direction = logit_directions(found)[found.logits.index(node)]
        return Read(model.layers, position, direction)
    layer = int(graph.layer[node])
    ids = torch.tensor([int(graph.feature[node])], device=model.ids.device)
    return Read(layer, position, model.members.encoders(layer, ids)[0][0])


def head_shares(model: ReplacementModel, source: Written, target: Read) -> Shares:
    """Return what each head carries of what `source` adds to `target`."""
    added = _added_values(model, source)
    patterns = [_pattern(model, layer) for layer in range(model.layers)]
    heads = patterns[0].shape[0]
    by_head = torch.zeros(model.layers, heads, dtype=torch.float64)
    direct = torch.zeros_like(by_head)
    staying = _staying(model)
    gradients, own = _at_position(staying, source, target)
    for layer, slope in gradients.items():
        values_HTd = added[layer].repeat_interleave(heads // len(added[layer]), dim=0)
        slope_Hd = slope.reshape(heads, -1)
        across_HT = patterns[layer][:, target.position] * torch.einsum(
            "hd,htd->ht", slope_Hd, values_HTd
        )
        across_HT[:, target.position] = 0
        by_head[layer] = across_HT.sum(1).cpu().double()
        if source.position != target.position:
            direct[layer] = across_HT[:, source.position].cpu().double()
    return Shares(by_head, direct, own if source.position == target.position else 0.0)


def _pattern(model: ReplacementModel, layer: int) -> Tensor:
    """Return where the heads of a layer look, (H, T, T)."""
    module = attention_of(model.freezer, decoder_layers(model.lm.model)[layer])
    return model.freezer.patterns[module][0]


def _added_values(model: ReplacementModel, source: Written) -> list[Tensor]:
    """Return what a source adds to the values of each layer, by all paths, (K, T, d)."""
    seen, place = model.seen, source.position
    typical = float(seen.embedding[0].detach().norm(dim=-1).mean())
    size = max(float(vector.norm()) for vector in source.vectors.values())
    # The frozen model is affine: more of the source, and its share of what that does.
    factor = min(max(typical / size, 1.0), _LARGEST_FACTOR) if size > 0 else 1.0
    embedding = seen.embedding.detach().expand(2, -1, -1).clone()
    if -1 in source.vectors:
        embedding[1, place] += factor * source.vectors[-1]

    def write(layer: int, read: Tensor, given: Tensor) -> Tensor:
        out = seen.written[layer].detach().expand(2, -1, -1).clone()
        if layer in source.vectors:
            out[1, place] += factor * source.vectors[layer]
        skipped = model.members.skip(layer, read) if layer in seen.reads else None
        return out if skipped is None else out + skipped

    values: dict[nn.Module, Tensor] = {}
    freezer = model.freezer
    freezer.see = lambda module, query, key, value, scale: values.update({module: value.detach()})
    try:
        model.run(write=write, embedding=embedding)
    finally:
        freezer.see = None
    layers = decoder_layers(model.lm.model)
    found = [values[attention_of(freezer, layer)] for layer in layers]
    return [(value[1] - value[0]) / factor for value in found]


class _Staying(ReplacementModel):
    """The frozen model in which no head reads another position than its own."""

    heads_out: dict[int, Tensor]
    """Layer → (1, T, H·d), attached to the layer’s leaf."""


def _staying(model: ReplacementModel) -> _Staying:
    staying = copy.copy(model)
    staying.__class__ = _Staying
    assert isinstance(staying, _Staying)
    own = {
        module: torch.diag_embed(torch.diagonal(pattern, dim1=-2, dim2=-1))
        for module, pattern in model.freezer.patterns.items()
    }
    staying.freezer = replace(model.freezer, patterns=own)
    staying.heads_out = {}
    with ExitStack() as stack:
        for layer in range(model.layers):
            point = hook_point(model.lm.model, Site(layer, "attn.hook_z"))

            def keep(value: Tensor, layer: int = layer) -> None:
                staying.heads_out[layer] = value

            stack.callback(watch(point, keep).remove)
        staying.seen = staying.run(cut=True)
    return staying


def _at_position(
    staying: _Staying, source: Written, target: Read
) -> tuple[dict[int, Tensor], float]:
    """Return what the target reads of the heads’ outputs at its position, layer → (H·d,).

    And what it reads of the source, if that stands there: all by paths that stay.
    """
    seen = staying.seen
    top = target.layer == staying.layers
    read = seen.head_in if top else seen.reads[target.layer]
    place = read.shape[1] - 1 if top else target.position
    given = torch.zeros_like(read)
    given[0, place] = target.vector.to(given)
    found: dict[int, Tensor] = {}
    own = 0.0

    def back(value: Tensor, layer: int, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the gradients by what enters a layer, and by what is written there."""
        inputs = [seen.entered[layer]]
        if layer < staying.layers:
            inputs += [staying.heads_out[layer], seen.written[layer]]
        grads = torch.autograd.grad(value, inputs, gradient, retain_graph=True, allow_unused=True)
        if layer < staying.layers and grads[1] is not None:
            found[layer] = grads[1][0, target.position]
        entering = torch.zeros_like(inputs[0]) if grads[0] is None else grads[0]
        return entering, grads[2] if layer < staying.layers else None

    gradient, _ = back(read, target.layer, given)
    for layer in reversed(range(target.layer)):
        gradient, written = back(seen.left[layer], layer, gradient)
        if layer in source.vectors and written is not None:
            own += float(written[0, source.position] @ source.vectors[layer].to(written))
    if -1 in source.vectors:
        if seen.embedding is not seen.left[-1]:
            (gradient,) = torch.autograd.grad(
                seen.left[-1], [seen.embedding], gradient, retain_graph=True
            )
        own += float(gradient[0, source.position] @ source.vectors[-1].to(gradient))
    return found, own
