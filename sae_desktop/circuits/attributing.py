"""The edges of a graph: what embeddings, features and errors add to what features and logits read.

In the frozen model (`replacement`) an edge is what its source writes, times the gradient of what
its target reads by that place: exact, since the model is affine. Gradients of many targets are
taken together, a layer at a time from the last to the first, so that no more than a batch of
gradients is held. B targets, T tokens, D width, S sources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.circuits.replacement import Pass, ReplacementModel


@dataclass(frozen=True)
class Target:
    """What the inputs of a batch are wanted of: features of layers, or directions at the head."""

    layers: Tensor
    """(B,) int64, descending; the model's number of layers: a logit."""
    positions: Tensor
    """(B,) int64, among those of what is read."""
    vectors: list[Tensor]
    """(D or I,) each: the encoder of a feature, the direction of a logit."""


class Sources:
    """Every source of edges, in one row: embeddings, then by layer features and errors."""

    def __init__(self, model: ReplacementModel) -> None:
        tokens = model.tokens
        self.embeddings = slice(0, tokens)
        self.features: dict[int, slice] = {}
        self.errors: dict[int, slice] = {}
        place = tokens
        for layer in range(model.layers):
            count = len(model.active[layer]) if layer in model.active else 0
            self.features[layer] = slice(place, place + count)
            place += count
            self.errors[layer] = slice(place, place + tokens)
            place += tokens
        self.count = place
        """S."""
        kinds = torch.zeros(place, dtype=torch.uint8)
        layers = torch.full((place,), -1, dtype=torch.int16)
        positions = torch.zeros(place, dtype=torch.int32)
        self.ids = torch.full((place,), -1, dtype=torch.int64)
        steps = torch.arange(tokens, dtype=torch.int32)
        positions[self.embeddings] = steps
        self.ids[self.embeddings] = model.ids[0].cpu()
        for layer in range(model.layers):
            kinds[self.features[layer]] = 1
            kinds[self.errors[layer]] = 2
            layers[self.features[layer].start : self.errors[layer].stop] = layer
            positions[self.errors[layer]] = steps
            if layer in model.active:
                active = model.active[layer]
                positions[self.features[layer]] = active.positions.to("cpu", torch.int32)
                self.ids[self.features[layer]] = active.features.cpu()
        self.kinds, self.layers, self.positions = kinds, layers, positions
        """(S,): as a graph's file has them (`graph_file`); `ids` likewise."""


_BLOCK_NUMBERS = 2**24
"""Of decoder vectors that are multiplied at once."""


class _Block(NamedTuple):
    """Features at some positions p, as many m at each: where there are fewer, one is repeated."""

    positions: Tensor
    """(p,)."""
    numbers: Tensor
    """(p·m,) of the features among those that fire."""
    there: Tensor
    """(p·m,) bool: not a repetition."""
    shape: tuple[int, int]
    """p, m."""


def _blocks(positions: Tensor, tokens: int, width: int) -> list[_Block]:
    """Return the features that fire, by their ascending positions (n,), in a few equal blocks."""
    steps = torch.arange(tokens + 1, device=positions.device)
    bounds = torch.searchsorted(positions, steps)
    counts = bounds[1:] - bounds[:-1]
    order = torch.argsort(counts, descending=True, stable=True)
    order = order[counts[order] > 0]
    found = []
    while len(order):
        most = int(counts[order[0]])
        # Positions of half as many features make a block of their own: little is repeated.
        alike = int((counts[order] * 2 > most).sum())
        chosen = order[: max(1, min(alike, _BLOCK_NUMBERS // (most * width)))]
        order = order[len(chosen) :]
        offsets = torch.arange(most, device=positions.device)
        there = offsets[None] < counts[chosen, None]
        numbers = bounds[chosen, None] + torch.where(there, offsets[None], 0)
        shape = (len(chosen), most)
        found.append(_Block(chosen, numbers.flatten(), there.flatten(), shape))
    return found


class Attribution:
    """Finds the edges into any feature that fires, and into logits."""

    def __init__(self, model: ReplacementModel) -> None:
        self.model = model
        self.sources = Sources(model)
        self._blocks = {
            layer: _blocks(active.positions, model.tokens, int(model.seen.embedding.shape[-1]))
            for layer, active in model.active.items()
        }

    def of_features(self, columns: Tensor) -> Target:
        """Return the target that features are, given by their columns (B,) of the sources.

        Ordered as they are given, which must be by layer, descending.
        """
        layers = self.sources.layers[columns].long()
        vectors: list[Tensor] = []
        for layer in sorted(set(layers.tolist()), reverse=True):
            ids = self.sources.ids[columns[layers == layer]].to(self.model.ids.device)
            vectors += list(self.model.members.encoders(layer, ids)[0])
        return Target(layers, self.sources.positions[columns].long(), vectors)

    def of_logits(self, directions_BD: Tensor) -> Target:
        """Return the target that directions at the head's input are, after the last token."""
        count = len(directions_BD)
        return Target(
            torch.full((count,), self.model.layers),
            torch.full((count,), self.model.seen.head_in.shape[1] - 1),
            list(directions_BD),
        )

    def edges(self, target: Target, step: Callable[[], None] = lambda: None) -> Tensor:
        """Return the edges (B, S) from every source; `step` is called layer by layer."""
        model, seen = self.model, self.model.seen
        size = (len(target.vectors), self.sources.count)
        out = torch.zeros(size, dtype=model.dtype, device=model.ids.device)
        grads = self._entering(target, model.layers, seen.head_in, seen.entered[model.layers])
        for layer in reversed(range(model.layers)):
            step()
            found = []
            if len(grads):
                found.append(self._through(out[: len(grads)], layer, grads))
            if layer in seen.reads:
                found.append(self._entering(target, layer, seen.reads[layer], seen.entered[layer]))
            grads = torch.cat(found) if found else grads
        self._add_embeddings(out, grads)
        return out

    def edges_of_stream(self, layer: int, grads_BTD: Tensor) -> Tensor:
        """Return the edges (B, S) into what has these gradients by the stream before a layer."""
        size = (len(grads_BTD), self.sources.count)
        out = torch.zeros(size, dtype=self.model.dtype, device=self.model.ids.device)
        for earlier in reversed(range(layer)):
            grads_BTD = self._through(out, earlier, grads_BTD)
        self._add_embeddings(out, grads_BTD)
        return out

    def _through(self, out: Tensor, layer: int, grads_BTD: Tensor) -> Tensor:
        """Add the edges of what is written at a layer; return the gradients by what enters it."""
        seen = self.model.seen
        leaving, written = torch.autograd.grad(
            seen.left[layer],
            [seen.entered[layer], seen.written[layer]],
            grads_BTD[:, None],
            is_grads_batched=True,
            retain_graph=True,
        )
        self._contract(out, layer, written[:, 0])
        return leaving[:, 0]

    def _add_embeddings(self, out: Tensor, grads_BTD: Tensor) -> None:
        seen = self.model.seen
        if seen.embedding is not seen.left[-1]:
            (found,) = torch.autograd.grad(
                seen.left[-1], [seen.embedding], grads_BTD[:, None], is_grads_batched=True,
                retain_graph=True,
            )  # fmt: skip
            grads_BTD = found[:, 0]
        out[:, self.sources.embeddings] = (grads_BTD * seen.embedding[0].detach()).sum(dim=-1)

    def _entering(self, target: Target, layer: int, read: Tensor, entered: Tensor) -> Tensor:
        """Return the gradients (b, T, D), by what enters a layer, of those who read there."""
        rows = torch.nonzero(target.layers == layer).squeeze(1)
        if not len(rows):
            return read.new_zeros(0, *entered.shape[1:])
        given = read.new_zeros(len(rows), *read.shape)
        chosen = torch.stack([target.vectors[row] for row in rows.tolist()]).to(given)
        places = target.positions[rows].to(given.device)
        given[torch.arange(len(rows), device=given.device), 0, places] = chosen
        (grads,) = torch.autograd.grad(
            read, [entered], given, is_grads_batched=True, retain_graph=True
        )
        return grads[:, 0]

    def _contract(self, out: Tensor, layer: int, grads_BTD: Tensor) -> None:
        """Add the edges of what is written at a layer, by the gradients there."""
        model = self.model
        grads_TBD = grads_BTD.transpose(0, 1)
        out[:, self.sources.errors[layer]] = (grads_TBD @ model.errors[layer][:, :, None])[..., 0].T
        for source in model.members.layers:
            if not model.members.writes_to(source, layer) or not len(model.active[source]):
                continue
            active, first = model.active[source], self.sources.features[source].start
            for block in self._blocks[source]:
                vectors = model.members.decoders(source, layer, active.features[block.numbers])
                vectors = vectors * active.activations[block.numbers, None]
                vectors = vectors.view(*block.shape, -1).transpose(1, 2)
                found = (grads_TBD[block.positions] @ vectors).transpose(0, 1).flatten(1)
                out[:, first + block.numbers[block.there]] += found[:, block.there]

    # ------------------------------------------------------------ what targets are
    def values(self, target: Target, seen: Pass | None = None) -> Tensor:
        """Return what targets read in a pass, without their biases, (B,); None: the prompt's."""
        found = self.model.seen if seen is None else seen
        values = []
        for row, vector in enumerate(target.vectors):
            layer = int(target.layers[row])
            read = found.head_in if layer == self.model.layers else found.reads[layer]
            values.append((read[0, int(target.positions[row])].detach() * vector).sum())
        return torch.stack(values)
