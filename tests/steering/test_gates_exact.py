"""Gates of every kind in float64 equal hooks written by hand: with a cache, a batch and padding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from dictionary_kinds import KINDS, RESID, Kind, random_dictionary
from steered_project import OTHER, PROMPT, ids_of, positions_of
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project
from sae_desktop.steering.config import Intervention
from sae_desktop.steering.gate_config import Gate, Pool, Readout
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.readers import ReadyGate, feature_reader

FEATURES = 24
STEPS = 5
EXACT = {"rtol": 0.0, "atol": 1e-9}
GATES = [
    "plain", "transcoder", "skip transcoder", "crosscoder of sites", "cross-layer transcoder",
]  # fmt: skip
"""What a gate reads: block 1, what enters its MLP, blocks 1 and 2 together, or one of all MLPs."""


@dataclass
class Exact:
    """The toy model in float64, one dictionary that steers at block 2, and one that opens it."""

    preparer: Preparer
    steered: OpenedIndex
    gate: OpenedIndex
    prompts: list[list[int]]

    @property
    def model(self) -> Any:
        return self.steered.lm.model


def _in_double(norm: Any) -> Callable[[Tensor], Tensor]:
    """A norm that does not compute in float32 on the way, as the library's own does."""

    def normed(x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.variance_epsilon)
        out: Tensor = norm.weight * (x * scale)
        return out

    return normed


def _double(own: Dictionary) -> Dictionary:
    found = copy.copy(own)
    if isinstance(found, CrossLayerDictionary):
        found.blocks = [_double(block) for block in found.blocks]
        return found
    for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold", "W_skip"):
        value = getattr(own, name)
        if value is not None:
            setattr(found, name, value.double())
    return found


@pytest.fixture(scope="module")
def exact(project: Project) -> Callable[[str], Exact]:
    index = open_index(str(project.path), "i", "cpu")
    lm = copy.copy(index.lm)
    lm.model = copy.deepcopy(lm.model).double()
    for module in lm.model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = _in_double(module)

    def opened(kind: Kind) -> OpenedIndex:
        found = _double(random_dictionary(kind, [index.lm], FEATURES))
        return replace(index, lm=lm, dictionary=found, site=parse_site(kind.reads[0][1]))

    def made(name: str) -> Exact:
        steered, gate = opened(Kind([(0, RESID[1])], [(0, RESID[1])])), opened(KINDS[name])
        preparer = Preparer(str(project.path), steered)
        preparer._others["gate"] = Preparer(str(project.path), gate)
        return Exact(preparer, steered, gate, [ids_of(index, OTHER), ids_of(index, PROMPT)])

    return made


def _by_program(exact: Exact, steering: Steering, written: list[Tensor]) -> list[Tensor]:
    """Return the logits (B, V) of each step, of texts whose next tokens are given, by a cache."""
    positions = positions_of(exact.steered, exact.prompts)
    transforms = steering.transforms(positions)
    batch, cache, done, found = PaddedTokens.of(exact.prompts), None, 0, []
    for chosen_B in written:
        logits, cache = forward(
            exact.steered.lm, batch, transforms, positions, done=done, cache=cache,
            use_cache=True, last_only=True,
        )  # fmt: skip
        assert cache is not None
        found.append(logits[:, -1])
        done, ones = batch.ids_BS.shape[1], torch.ones(len(chosen_B), 1, dtype=torch.int64)
        batch = PaddedTokens(
            torch.cat([batch.ids_BS, chosen_B[:, None]], 1), torch.cat([batch.mask_BS, ones], 1)
        )
    return found


def _by_hand(
    exact: Exact, row: int, written: list[Tensor], opens: Callable[[Tensor], Tensor], change: Any
) -> list[Tensor]:
    """Return the same of one row, alone, without padding, reading all of it at each step.

    `opens` takes the features' activations (S, F) of the text's own tokens.
    """
    layers, own = exact.model.model.layers, slice(len(exact.steered.bos), None)
    seen: dict[str, Tensor] = {}

    def see(name: str) -> Callable[..., None]:
        def hook(module: Any, args: Any, output: Any = None) -> None:
            x = args[0] if output is None else output
            seen[name] = (x[0] if isinstance(x, tuple) else x)[0]

        return hook

    def steer(module: Any, args: Any, output: Any) -> Any:
        x = output[0] if isinstance(output, tuple) else output
        read = {
            "blocks.1.hook_resid_post": seen["resid"], "blocks.2.hook_resid_post": x[0],
            **{f"blocks.{layer}.mlp.hook_in": seen[f"mlp {layer}"] for layer in range(3)},
        }  # fmt: skip
        values = torch.cat([read[str(place.site)] for place in exact.gate.reads], dim=-1)
        is_open_S = opens(exact.gate.dictionary.encode(values[own]))
        out = x.clone()
        for number in is_open_S.nonzero()[:, 0].tolist():
            place = number + len(exact.steered.bos)
            out[0, place] = change(x[0, place])
        return (out, *output[1:]) if isinstance(output, tuple) else out

    handles = [
        layers[1].register_forward_hook(see("resid")),
        *(layers[n].mlp.register_forward_pre_hook(see(f"mlp {n}")) for n in range(3)),
        layers[2].register_forward_hook(steer),
    ]
    found, ids = [], list(exact.prompts[row])
    try:
        for chosen_B in written:
            with torch.no_grad():
                found.append(exact.model(torch.tensor([ids]), use_cache=False).logits[0, -1])
            ids.append(int(chosen_B[row]))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _case(exact: Exact) -> tuple[int, int, float, list[Tensor], Any]:
    """Return who opens, who is clamped, above what, what is written, and the clamp by hand."""
    top = np.asarray(exact.steered.index.columns["max_activation"])
    feature = int(np.flatnonzero(top[:FEATURES] > 0)[0])
    value, dictionary = 3.0 * float(top[feature]), exact.steered.dictionary
    chance = torch.Generator().manual_seed(0)
    written = [torch.randint(4, 60, (2,), generator=chance) for _ in range(STEPS)]

    def change(x: Tensor) -> Tensor:
        a = dictionary.encode(x[None])[0, feature]
        return x + (value - a) * dictionary.W_dec[feature]

    acts: list[Tensor] = []

    def look(found_SF: Tensor) -> Tensor:
        acts.append(found_SF)
        return torch.zeros(len(found_SF), dtype=torch.bool)

    for row in range(2):
        _by_hand(exact, row, written, look, change)
    whole = torch.cat([acts[STEPS - 1], acts[-1]])
    gated = int((whole > 0).sum(0).argmax())
    fired = whole[whole[:, gated] > 0, gated]
    return feature, gated, float(fired.median()) - 1e-6, written, change


@pytest.mark.parametrize("since", [False, True])
@pytest.mark.parametrize("name", GATES)
def test_gate_of_any_kind__equals_a_hook_written_by_hand_in_float64(
    exact: Callable[[str], Exact], name: str, since: bool
) -> None:
    case = exact(name)
    feature, gated, above, written, change = _case(case)

    def opens(acts_SF: Tensor) -> Tensor:
        fires_S = acts_SF[:, gated] > above
        return fires_S.cummax(0).values if since else fires_S

    gate = Gate(feature=gated, index="gate", above=above, since=since)
    asked = Intervention(feature=feature, strength=3.0, when=gate)
    ready = case.preparer.gate(gate)
    assert len(ready.reader.places) == (2 if name.startswith("crosscoder") else 1)
    plan = case.preparer.plan([asked])
    found = _by_program(case, Steering(case.preparer, [plan, plan]), written)
    always = case.preparer.plan([replace_gate(asked)])
    plain = _by_program(case, Steering(case.preparer, [{}, {}]), written)
    clamped = _by_program(case, Steering(case.preparer, [always, always]), written)
    differs = False
    for row in range(2):
        wanted = _by_hand(case, row, written, opens, change)
        for step, logits_BV in enumerate(found):
            assert logits_BV.dtype == torch.float64
            torch.testing.assert_close(logits_BV[row], wanted[step], **EXACT)
            differs |= not torch.allclose(logits_BV[row], plain[step][row], atol=1e-3)
    assert differs
    # Once it has opened, nothing tells it from no condition.
    pairs = zip(found, clamped, strict=True)
    assert since or any(not torch.allclose(one, other, atol=1e-3) for one, other in pairs)


def replace_gate(asked: Intervention) -> Intervention:
    return Intervention(feature=asked.feature, strength=asked.strength)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_pooled_gate__goes_on_from_pass_to_pass(exact: Callable[[str], Exact], pool: Pool) -> None:
    case = exact("plain")
    feature, gated, above, written, change = _case(case)
    chosen = sorted({gated, (gated + 1) % FEATURES})
    readout = Readout(features=chosen, weights=[1.0, 0.5], bias=-0.05, pool=pool)
    weights = torch.tensor(readout.weights, dtype=torch.float64)
    scores: list[Tensor] = []

    def pooled(acts_SF: Tensor) -> Tensor:
        own_SK = acts_SF[:, chosen]
        if pool == "max":
            so_far_SK = own_SK.cummax(0).values
        else:
            so_far_SK = own_SK.cumsum(0) / torch.arange(1, len(own_SK) + 1)[:, None]
        scores.append(so_far_SK @ weights + readout.bias)
        return scores[-1]

    def nowhere(acts_SF: Tensor) -> Tensor:
        return pooled(acts_SF) > 1e9

    for row in range(2):
        _by_hand(case, row, written, nowhere, change)
    reached = torch.cat([scores[STEPS - 1], scores[-1]]).unique()
    above = float(reached[len(reached) // 2 - 1 : len(reached) // 2 + 1].mean())
    plan = case.preparer.plan([Intervention(feature=feature, strength=3.0)])
    ready = ReadyGate(feature_reader(readout, case.gate), above, since=False, where="all")
    gated_plan = {
        target: [replace(change, gate=ready) for change in changes]
        for target, changes in plan.items()
    }
    found = _by_program(case, Steering(case.preparer, [gated_plan, gated_plan]), written)
    for row in range(2):
        wanted = _by_hand(case, row, written, lambda acts: pooled(acts) > above, change)
        for step, logits_BV in enumerate(found):
            torch.testing.assert_close(logits_BV[row], wanted[step], **EXACT)
    opened = torch.cat([score > above for score in scores[-2:]])
    assert opened.any()
    assert not opened.all()
