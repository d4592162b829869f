"""A mitigation beside its rivals: the same without its condition, and on a random one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from sae_desktop.language_model.load import LanguageModel
from sae_desktop.steering.config import PLAIN, Variant
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer

GATED, UNGATED, RANDOM = "under the condition", "at every token", "on a random condition"


@dataclass(frozen=True)
class Ways:
    """Makes variants ready for batches in which all rows are steered alike."""

    lm: LanguageModel
    preparer: Preparer
    specials: int

    def steering(self, variant: Variant, rows: int) -> Steering:
        """Return what a variant does to each row of a batch."""
        plan = self.preparer.plan(variant.interventions)
        stops = [self.preparer.gate(gate) for gate in variant.stop]
        return Steering(self.preparer, [plan] * rows, [stops] * rows)

    def logits(
        self, variant: Variant, texts: Sequence[Sequence[int]], prompts: Sequence[int]
    ) -> Tensor:
        """Return the logits (B, S, V) of whole texts padded on the left.

        `prompts`: how many tokens of each are the prompt's, special ones left out.
        """
        batch = PaddedTokens.of(texts)
        positions = Positions(batch.pads, self.specials, prompts)
        transforms = self.steering(variant, len(texts)).transforms(positions)
        return forward(self.lm, batch, transforms, positions)[0]


def gates_of(variant: Variant) -> list[Gate]:
    """Return the conditions of a variant, each once."""
    found = [act.when for act in variant.interventions if act.when is not None]
    return list(dict.fromkeys([*found, *variant.stop]))


def with_gates(variant: Variant, name: str, change: Callable[[Gate], Gate | None]) -> Variant:
    """Return a variant with other conditions; None: without."""
    acts = [
        msgspec.structs.replace(act, when=None if act.when is None else change(act.when))
        for act in variant.interventions
    ]
    stops = [gate for gate in map(change, variant.stop) if gate is not None]
    return msgspec.structs.replace(variant, name=name, interventions=acts, stop=stops)


def all_ways(
    ways: Ways, variant: Variant, texts: Sequence[Sequence[int]], seed: int
) -> tuple[list[Variant], dict[str, float]]:
    """Return the plain model, the variant, and its rivals; and on which share of tokens each works.

    A random condition is true on ordinary `texts` as often as the one in whose place it stands.
    """
    thresholds, shares = {}, []
    for number, gate in enumerate(gates_of(variant)):
        above, share = matched(ways, gate, texts, seed + number)
        thresholds[gate] = msgspec.structs.replace(
            gate, monitor="", feature=None, seed=seed + number, above=above
        )
        shares.append(share)
    named = msgspec.structs.replace(variant, name=GATED)
    found = [PLAIN, named]
    opened = max(shares, default=1.0)
    told = {PLAIN.name: 0.0, GATED: opened, UNGATED: 1.0, RANDOM: opened}
    if variant.interventions:
        found.append(with_gates(variant, UNGATED, lambda gate: None))
    found.append(with_gates(variant, RANDOM, lambda gate: thresholds[gate]))
    return found, told


def matched(
    ways: Ways, gate: Gate, texts: Sequence[Sequence[int]], seed: int
) -> tuple[float, float]:
    """Return above which score a random direction is as often as a gate is open, and how often."""
    own = ways.preparer.gate(gate)
    other = ways.preparer.gate(msgspec.structs.replace(gate, monitor="", feature=None, seed=seed))
    opened, scores = [], []
    for ids in texts:
        positions = Positions([0], ways.specials, [0])
        steering = Steering(ways.preparer, [{}], [[]], [own, other])
        forward(ways.lm, PaddedTokens.whole([ids]), steering.transforms(positions), positions)
        assert steering.gates is not None
        opened.append(steering.gates.open(own, 0)[ways.specials :].cpu())
        components_SK = steering.gates.components(other, 0)[ways.specials :]
        scores.append(other.reader.score(components_SK).float().cpu())
    share = float(torch.cat(opened).float().mean())
    whole = torch.cat(scores).double()
    return float(torch.quantile(whole, 1 - share)) if len(whole) else 0.0, share
