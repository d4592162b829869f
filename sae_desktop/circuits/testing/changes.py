"""Features and errors changed in the model itself, in several copies of a prompt at once.

The real MLPs run; what a changed feature would write more or less is added to their outputs, in
every layer it writes to, so that the feature has exactly the value it is given and all that
follows reacts. In the replacement model the features that fire after the change, and the errors
of the prompt, stand in their place. B copies, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sae_desktop.circuits.replacement import Active, Pass, ReplacementModel, Write
from sae_desktop.errors import UserError

Holding = Literal["frozen", "free"]


class Held(NamedTuple):
    """What keeps the values it has in the prompt, whatever is changed."""

    attention: Holding = "frozen"
    """Where heads look."""
    norms: Holding = "free"
    """What norms divide by."""
    replaced: bool = False
    """Whether features stand in the place of MLPs."""


AS_TRACED = Held("frozen", "frozen")
"""What a graph takes to stay."""


@dataclass(frozen=True)
class FeatureChange:
    """A feature at a position: set to `value`, or with `factor` multiplied by `value`."""

    layer: int
    position: int
    feature: int
    value: float = 0.0
    factor: bool = False

    @property
    def place(self) -> tuple[int, int, int]:
        return self.layer, self.position, self.feature


@dataclass(frozen=True)
class ErrorChange:
    """The error of a layer at a position, multiplied by `factor`."""

    layer: int
    position: int
    factor: float = 0.0


Change = FeatureChange | ErrorChange


def run_changed(
    model: ReplacementModel, rows: Sequence[Sequence[Change]], held: Held = AS_TRACED
) -> Pass:
    """Run the prompt with the changes of each of B copies."""
    pending: dict[int, list[tuple[int, int, int, int, Tensor]]] = {}
    replaced = _replaced(model) if held.replaced else None

    def write(layer: int, read: Tensor, given: Tensor) -> Tensor:
        out = given.clone() if replaced is None else replaced(layer, read, given)
        for row, changes in enumerate(rows):
            for change in changes:
                if change.layer != layer:
                    continue
                if isinstance(change, ErrorChange):
                    out[row, change.position] += (change.factor - 1) * model.errors[layer][
                        change.position
                    ].to(out)
                    continue
                delta = _delta(model, change, read[row, change.position])
                for written in range(layer, model.layers):
                    if model.members.writes_to(layer, written):
                        found = (row, change.position, layer, change.feature, delta)
                        pending.setdefault(written, []).append(found)
        for row, position, source, feature, delta in pending.pop(layer, []):
            ids = torch.tensor([feature], device=out.device)
            vector = model.members.decoders(source, layer, ids)[0]
            out[row, position] += (delta * vector).to(out)
        return out

    ids = model.ids.expand(len(rows), -1)
    return model.run(attention=held.attention, norms=held.norms, write=write, ids=ids)


def overflow() -> UserError:
    """Return what to say of a changed model whose values are not finite."""
    return UserError(
        "The model’s values overflow after this change: with norms held, its MLPs amplify what "
        "the norms would keep small.",
        kept="The graph is unchanged.",
        next_step="Test it with norms that answer (“Attention held” or “Nothing held”), or change "
        "fewer nodes.",
    )


def _replaced(model: ReplacementModel) -> Write:
    fired: dict[int, Active] = {}

    def write(layer: int, read: Tensor, given: Tensor) -> Tensor:
        if layer in model.active:
            fired[layer] = model.fired(layer, read)
        out = model.written_by_features(layer, fired, len(given)).view_as(given)
        out = out + (model.members.bias(layer, given) + model.errors[layer] + model.fixed[layer])
        skipped = model.members.skip(layer, read) if layer in model.active else None
        return out if skipped is None else out + skipped

    return write


def _delta(model: ReplacementModel, change: FeatureChange, read_I: Tensor) -> Tensor:
    ids = torch.tensor([change.feature], device=read_I.device)
    dictionary = model.members.dictionary(change.layer)
    now = dictionary.encode_features(read_I[None], ids)[0, 0]
    return now * (change.value - 1) if change.factor else change.value - now


def activations_in(
    model: ReplacementModel, seen: Pass, places: Sequence[tuple[int, int, int]]
) -> Tensor:
    """Return the activations of features (layer, position, feature) in a pass, (B, n)."""
    out = torch.zeros(len(seen.logits), len(places), dtype=torch.float64)
    for layer in {place[0] for place in places}:
        mine = [number for number, place in enumerate(places) if place[0] == layer]
        positions = sorted({places[number][1] for number in mine})
        encoded = model.members.dictionary(layer).encode(seen.reads[layer][:, positions].detach())
        row_of = {position: row for row, position in enumerate(positions)}
        rows = [row_of[places[number][1]] for number in mine]
        out[:, mine] = encoded[:, rows, [places[n][2] for n in mine]].cpu().double()
    return out


def direct_effects(
    model: ReplacementModel, changes: Sequence[tuple[FeatureChange, float]],
    places: Sequence[tuple[int, int, int]], directions_nD: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return what changes of activations add to what features and logits read, directly.

    `changes`: a feature and by how much its activation changes. `places` (m): features; directions
    (n, D) at the head's input. In the frozen model all other features keep what they write; (m,)
    and (n,), float64.
    """

    def write(layer: int, read: Tensor, given: Tensor) -> Tensor:
        out = model.seen.written[layer].detach().clone()
        for change, delta in changes:
            if model.members.writes_to(change.layer, layer):
                ids = torch.tensor([change.feature], device=out.device)
                vector = model.members.decoders(change.layer, layer, ids)[0]
                out[0, change.position] += delta * vector
        skipped = model.members.skip(layer, read) if layer in model.seen.reads else None
        return out if skipped is None else out + skipped

    moved = model.run(write=write)
    on_features = torch.zeros(len(places), dtype=torch.float64)
    for number, (layer, position, feature) in enumerate(places):
        ids = torch.tensor([feature], device=model.ids.device)
        vector = model.members.encoders(layer, ids)[0][0]
        read = moved.reads[layer][0, position] - model.seen.reads[layer][0, position].detach()
        on_features[number] = float((read * vector).sum())
    head = moved.head_in[0, -1] - model.seen.head_in[0, -1].detach()
    return on_features, (directions_nD @ head).cpu().double()
