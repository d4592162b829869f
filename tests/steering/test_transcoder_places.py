"""Transcoders steered beside others: written token by token, of several layers, side by side."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_cases import CASES, W, input_of
from job_contexts import RecordingContext
from torch import Tensor
from toy_models import save_toy_model
from transcoder_world import (
    CLOSE,
    PROMPT,
    SKIP,
    ByHand,
    World,
    hooked,
    logits_by_hand,
    logits_by_program,
    own,
    plain_logits,
)
from transformers import AutoModelForCausalLM

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.errors import UserError
from sae_desktop.features.asking.attribution import attributions, logit_gradient
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.steering.config import (
    Intervention,
    Sampling,
    SteerConfig,
    Variant,
)
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Change, Positions, SteeredSite
from sae_desktop.steering.job import steer
from sae_desktop.steering.output_effect import output_effect
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer, Target


# ---------------------------------------------------------------- written token by token
def test_output_alone__is_steered_with_a_cache_as_without(world: World) -> None:
    feature, prompts = world.features[0], [PROMPT, "def add(first, second"]
    variants = [
        Variant(
            name=str(number),
            prompt=prompt,
            interventions=[Intervention(feature=feature, strength=6.0, where="output")],
        )
        for number, prompt in enumerate(prompts)
    ]
    config = SteerConfig(
        project=str(world.project.path), index="i", prompt=PROMPT, variants=variants,
        sampling=Sampling(max_new_tokens=6, repetition_penalty=1.0), device="cpu",
    )  # fmt: skip
    result = steer(config, RecordingContext())
    assert result.site == world.case.site_out
    for prompt, found in zip(prompts, result.variants, strict=True):
        ids = world.opened.bos + world.opened.lm.encode(prompt)
        written, start = list(ids), len(ids)
        act = ByHand(feature, "clamp", 6.0 * world.top(feature), slice(start, None))
        case = world.case
        with hooked(world.model, case.module, case.written, case, [act]):
            for _ in range(6):
                out = world.model(torch.tensor([written]), use_cache=False)
                token = int(out.logits[0, -1].argmax())
                if token in world.opened.lm.eos_ids:
                    break
                written.append(token)
        expected = world.opened.lm.tokenizer.decode(written[len(world.opened.bos) :])
        assert prompt + found.text == expected
        assert found.typical_strength is not None
        assert found.typical_strength > 0


# ---------------------------------------------------------------- several dictionaries
def second_layer(world: World) -> None:
    """Another transcoder of the project, of the next layer: its index is called “j”."""
    project = world.project
    first = load(project.dictionary_path("theirs"))
    site = world.case.site.replace("blocks.1", "blocks.2")
    first.metadata |= {
        "hook_name": site,
        "hook_name_out": world.case.site_out.replace("blocks.1", "blocks.2"),
    }
    save(first, project.dictionary_path("second"))
    harvest(
        HarvestConfig(
            project=str(project.path), name="more", model=world.opened.index.info.model, site=site,
            corpus=str(project.path.parent / "texts"), tokens=400, context_size=64,
            batch_tokens=256, dtype="float32", device="cpu",
        ),
        RecordingContext(),
    )  # fmt: skip
    build_index(
        IndexConfig(
            project=str(project.path), dictionary="second", name="j", activations="more",
            neuron_rows=0, map=False, coactivation=False, device="cpu",
        ),
        RecordingContext(),
    )  # fmt: skip


def test_transcoders_of_several_layers__the_later_reads_what_the_earlier_changed(
    skipping: World,
) -> None:
    world, case, feature = skipping, skipping.case, skipping.features[0]
    second_layer(world)
    other = open_index(str(world.project.path), "j", "cpu")
    top = float(other.index.columns["max_activation"][feature])
    assert top > 0
    asked = [
        Intervention(feature=feature, strength=3.0),
        Intervention(feature=feature, index="j", mode="multiply", strength=4.0),
        Intervention(feature=world.features[1], index="j", strength=2.0),
    ]
    second = float(other.index.columns["max_activation"][world.features[1]])
    later = [
        ByHand(feature, "multiply", 4.0, own(world)),
        ByHand(world.features[1], "clamp", 2.0 * second, own(world)),
    ]
    above = case.module.replace(".1.", ".2."), case.written.replace(".1.", ".2.")
    with hooked(world.model, *above, case, later):
        expected = logits_by_hand(
            world, [ByHand(feature, "clamp", 3.0 * world.top(feature), own(world))]
        )
    torch.testing.assert_close(logits_by_program(world, asked)[0], expected, **CLOSE)
    with pytest.raises(UserError, match="no index “gone”"):
        logits_by_program(world, [Intervention(feature=feature, index="gone")])
    known = other.index.info.dictionary_hash
    logits_by_program(world, [Intervention(feature=feature, index="j", index_hash=known)])
    with pytest.raises(UserError, match="“second” has been trained again"):
        logits_by_program(world, [Intervention(feature=feature, index="j", index_hash="of before")])


# ---------------------------------------------------------------- attention and MLP side by side
class Held:
    """A dictionary and its model, for plans made by hand."""

    def __init__(self, lm: LanguageModel, dictionary: Dictionary) -> None:
        self.device, self._dictionary = lm.device, dictionary

    def dictionary_of(self, target: Target) -> Dictionary:
        assert target.index == "i"
        return self._dictionary


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("gpt_neox", "gpt_neox.layers.1.mlp"),
        ("falcon", "transformer.h.1.mlp"),
        ("gptj", "transformer.h.1.mlp"),
        ("cohere", "model.layers.1.mlp"),
    ],
)
def test_parallel_blocks__are_steered_in_the_same_pass(
    tmp_path: Path, kind: str, module: str
) -> None:
    folder = save_toy_model(tmp_path / kind, kind)
    lm, model = load_model(str(folder), "cpu"), AutoModelForCausalLM.from_pretrained(folder).eval()
    dictionary = Dictionary(W["W_enc"], W["b_enc"], W["W_dec"], W["b_dec"], k=3)
    case = replace(CASES[SKIP], module=module, written=module)
    read, written = parse_site("blocks.1.mlp.hook_in"), parse_site("blocks.1.hook_mlp_out")
    change = Change("clamp", 9.0, W["W_dec"][5], 5)
    ids = lm.encode(PROMPT)
    positions = Positions([0], 0, [len(ids)])
    held: Any = Held(lm, dictionary)
    steering = Steering(held, [{Target((written,), "i", read): [change]}])
    with torch.no_grad():
        plain = model(torch.tensor([ids]), use_cache=False).logits
        with hooked(model, module, module, case, [ByHand(5, "clamp", 9.0, slice(None))]):
            expected = model(torch.tensor([ids]), use_cache=False).logits
    found = forward(lm, PaddedTokens.of([ids]), steering.transforms(positions), positions)[0]
    torch.testing.assert_close(found, expected, **CLOSE)
    assert (found - plain).abs().max() > 1e-4


def test_input_that_comes_after_the_output__is_refused_by_name() -> None:
    dictionary = Dictionary(W["W_enc"], W["b_enc"], W["W_dec"], W["b_dec"])
    change = Change("clamp", 1.0, W["W_dec"][0], 0)
    site = SteeredSite([[change]], dictionary, torch.device("cpu"), read_before=True)
    x = torch.randn(1, 3, 32)
    positions = Positions([0], 0, [3])
    with pytest.raises(UserError, match="before the one they read"):
        site.transform(positions)(x)
    site.read(x)
    site.transform(positions)(x)
    with pytest.raises(UserError, match="before the one they read"):
        site.transform(positions)(x)  # what was read in the pass before does not count


# ---------------------------------------------------------------- effects and attributions
def test_output_effect__is_that_of_the_written_site(world: World) -> None:
    project = str(world.project.path)
    output_effect(
        OutputEffectConfig(project=project, index="i", prompts=[PROMPT]), RecordingContext()
    )
    opened = open_index(project, "i", "cpu")
    feature = world.features[0]
    last = [len(world.ids) - 1]
    steered = logits_by_hand(world, [ByHand(feature, "clamp", world.top(feature), last)])[-1]
    log_p, log_q = steered.log_softmax(-1), plain_logits(world)[-1].log_softmax(-1)
    expected = float((log_p.exp() * (log_p - log_q)).sum())
    assert opened.index.columns["output_effect"][feature] == pytest.approx(
        expected, rel=1e-3, abs=1e-6
    )


def test_attribution__is_by_the_gradient_at_the_written_site(world: World) -> None:
    opened, feature = world.opened, world.features[0]
    ids = world.ids[len(opened.bos) :]
    gradient, told = logit_gradient(opened, ids, len(ids) - 1, 7, "mean")
    acts = world.acts(world.model)
    rows = input_of(world.case.module)(world.model, torch.tensor([world.ids]))[0, own(world)]
    found = attributions(acts, gradient, opened.dictionary, world.case.read(rows))[:, feature]
    at = int(acts[:, feature].argmax())
    column = len(opened.bos) + at
    # A small share of the feature taken away: the slope there.
    share = 1e-2

    def difference(kept: float) -> float:
        logits = logits_by_hand(world, [ByHand(feature, "multiply", kept, [column])])[-1].double()
        return float(logits[7] - logits.mean())

    assert told.value == pytest.approx(difference(1.0), rel=1e-4, abs=1e-5)
    slope = (difference(1 + share) - difference(1 - share)) / (2 * share)
    assert float(found[at]) == pytest.approx(slope, rel=2e-2, abs=1e-4)


# ---------------------------------------------------------------- refused by name
def test_dictionary__that_writes_no_site_of_the_model_is_refused(skipping: World) -> None:
    own = skipping.opened.dictionary

    def preparer(**changes: Any) -> None:
        dictionary = copy.copy(own)
        dictionary.metadata = own.metadata | changes.pop("metadata", {})
        for name, value in changes.items():
            setattr(dictionary, name, value)
        Preparer(str(skipping.project.path), replace(skipping.opened, dictionary=dictionary))

    with pytest.raises(UserError, match="do not say which site it writes") as caught:
        preparer(metadata={"hook_name_out": ""})
    assert "blocks.1.hook_mlp_out" in (caught.value.next_step or "")
    with pytest.raises(UserError, match="which the model computes before"):
        preparer(metadata={"hook_name_out": "blocks.0.hook_mlp_out"})
    with pytest.raises(UserError, match=r"no site “blocks\.9\.hook_mlp_out”"):
        preparer(metadata={"hook_name_out": "blocks.9.hook_mlp_out"})
    with pytest.raises(UserError, match="writes 32 numbers"):
        preparer(metadata={"hook_name_out": "blocks.2.mlp.hook_post"})


# ---------------------------------------------------------------- the model that ships
def test_builtin_model__is_steered_by_a_transcoder_of_its_mlp(tmp_path: Path) -> None:
    lm = load_model("builtin", "cpu")
    width = lm.width
    generator = torch.Generator().manual_seed(1)
    W_dec = torch.nn.functional.normalize(torch.randn(64, width, generator=generator), dim=1)
    dictionary = Dictionary(
        torch.randn(width, 64, generator=generator) * 0.1, torch.zeros(64), W_dec,
        torch.zeros(width), k=8,
    )  # fmt: skip
    read, written = parse_site("blocks.1.mlp.hook_in"), parse_site("blocks.1.hook_mlp_out")
    ids = lm.encode("Once upon a time")
    positions = Positions([0], 0, [len(ids)])
    changes = [Change("clamp", 5.0, W_dec[3], 3), Change("multiply", 3.0, W_dec[9], 9)]
    held: Any = Held(lm, dictionary)
    steering = Steering(held, [{Target((written,), "i", read): changes}])
    found = forward(lm, PaddedTokens.of([ids]), steering.transforms(positions), positions)[0]
    module = lm.model.model.layers[1].mlp

    def by_hand(mlp: Any, args: Any, output: Tensor) -> Tensor:
        pre = (args[0] @ dictionary.W_enc).relu()
        kept = pre.topk(8, dim=-1)
        acts = torch.zeros_like(pre).scatter_(-1, kept.indices, kept.values)
        out = output + (5.0 - acts[..., 3:4]) * W_dec[3]
        return out + 2.0 * acts[..., 9:10] * W_dec[9]

    with torch.no_grad():
        plain = lm.model(torch.tensor([ids]), use_cache=False).logits
        handle = module.register_forward_hook(by_hand)
        expected = lm.model(torch.tensor([ids]), use_cache=False).logits
        handle.remove()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    assert (found - plain).abs().max() > 0.1
