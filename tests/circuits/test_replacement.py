"""The frozen model is exact: what features and logits read is the sum of their edges."""

from __future__ import annotations

import pytest
import torch
from made_sets import exact_model, random_members
from torch import Tensor

from sae_desktop.circuits.attributing import Attribution, Target
from sae_desktop.circuits.members import Members
from sae_desktop.circuits.replacement import ReplacementModel
from sae_desktop.errors import UserError

IDS = [0, 17, 60, 201, 33, 9]
LOGITS = torch.tensor([5, 9, 300])
FAMILIES = ("llama", "gpt2", "gpt_neox", "gemma2", "qwen3")


def traced(kind: str, members: Members) -> tuple[ReplacementModel, Attribution, Target]:
    """A frozen toy, and all the features that fire as targets."""
    model = ReplacementModel(exact_model(kind), members, IDS, specials=1)
    attribution = Attribution(model)
    columns = torch.nonzero(attribution.sources.kinds == 1).squeeze(1)
    order = attribution.sources.layers[columns].argsort(descending=True, stable=True)
    return model, attribution, attribution.of_features(columns[order])


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).detach().abs().max() / wanted.detach().abs().max())


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("cross_layer", [False, True])
@pytest.mark.parametrize("kind", FAMILIES)
def test_inputs_and_constant__add_up_to_what_a_node_is(
    kind: str, cross_layer: bool, skip: bool
) -> None:
    members = random_members(cross_layer=cross_layer, skip=skip)
    model, attribution, features = traced(kind, members)
    with torch.no_grad():
        plain = model.lm.model(model.ids).logits[0, -1]
    # Their norms compute in float32 whatever the model's numbers.
    assert relative(model.seen.logits[0, -1], plain) < 1e-6
    constants = model.constants()
    edges = attribution.edges(features)
    assert len(edges) > 60
    found = edges.sum(1) + attribution.values(features, constants)
    assert relative(found, attribution.values(features)) < 1e-12
    logits = attribution.of_logits(model.logit_directions(LOGITS))
    found = (
        attribution.edges(logits).sum(1) + model.centred_logits(constants.head_in[0, -1])[LOGITS]
    )
    assert relative(found, model.centred_logits(model.seen.head_in[0, -1])[LOGITS]) < 1e-12
    # No feature is read at the first token, none reads a later token or its own layer.
    assert int(attribution.sources.positions[attribution.sources.kinds == 1].min()) == 1
    layers, positions = attribution.sources.layers, attribution.sources.positions
    later = (layers[None] >= features.layers[:, None]) | (
        positions[None] > features.positions[:, None]
    )
    assert not edges[later].any()


@pytest.mark.parametrize("cross_layer", [False, True])
@pytest.mark.parametrize("kind", FAMILIES)
def test_edges__are_the_jacobian_of_the_frozen_model(kind: str, cross_layer: bool) -> None:
    members = random_members(cross_layer=cross_layer, skip=True, features=24)
    model, attribution, features = traced(kind, members)
    edges, sources = attribution.edges(features), attribution.sources
    # One forward pass for every source, with that source alone doubled.
    embeddings = model.seen.embedding.detach().repeat(sources.count, 1, 1)
    for place in range(model.tokens):
        embeddings[place, place] *= 2
    more = {
        layer: torch.zeros(sources.count, model.tokens, 32, dtype=torch.float64) for layer in (0, 1)
    }
    for layer in (0, 1):
        for place in range(model.tokens):
            more[layer][sources.errors[layer].start + place, place] = model.errors[layer][place]
        active = model.active[layer]
        for number in range(len(active)):
            for written in range(layer, 2 if cross_layer else layer + 1):
                ids = active.features[number : number + 1]
                vector = members.decoders(layer, written, ids)[0] * active.activations[number]
                row = sources.features[layer].start + number
                more[written][row, active.positions[number]] = vector

    def write(layer: int, read: Tensor, given: Tensor) -> Tensor:
        skipped = members.skip(layer, read)
        assert skipped is not None
        return model.seen.written[layer].detach() + more[layer] + skipped

    moved = model.run(write=write, embedding=embeddings)
    before = attribution.values(features)
    for row, vector in enumerate(features.vectors):
        read = moved.reads[int(features.layers[row])][:, int(features.positions[row])]
        assert torch.allclose(read @ vector - before[row], edges[row], atol=1e-11)


def test_frozen_pass__takes_no_notice_of_other_tokens() -> None:
    """What is frozen is the prompt's: another prompt read with it keeps patterns and scales."""
    model, _, _ = traced("llama", random_members())
    other = torch.tensor([[0, 3, 4, 5, 6, 7]])
    frozen = model.run(ids=other)
    free = model.run(ids=other, attention="free", norms="free")
    with torch.no_grad():
        plain = model.lm.model(other).logits[0, -1]
    assert relative(free.logits[0, -1], plain) < 1e-6
    assert relative(frozen.logits[0, -1], plain) > 1e-2
    with torch.no_grad():
        assert relative(model.lm.model(model.ids).logits[0, -1], model.seen.logits[0, -1]) < 1e-6


def test_set_beyond_the_model__is_refused() -> None:
    with pytest.raises(UserError, match="has layers up to 2"):
        ReplacementModel(exact_model("llama"), random_members(layers=3), IDS)


def test_attention_of_its_own__is_refused() -> None:
    with pytest.raises(UserError, match="cannot be frozen"):
        ReplacementModel(exact_model("bloom"), random_members(), IDS)
