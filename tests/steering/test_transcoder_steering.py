"""A transcoder steers where it writes, by what it reads in the same pass: held to plain hooks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_cases import CASES, Case, W, in_project, input_of, toy_model
from job_contexts import RecordingContext
from torch import Tensor
from toy_models import save_toy_model
from transformers import AutoModelForCausalLM

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.errors import UserError
from sae_desktop.features.asking.attribution import attributions, logit_gradient
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    Intervention,
    MeanDifference,
    RandomDirection,
    Sampling,
    SteerConfig,
    Variant,
)
from sae_desktop.steering.controls import random_control
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Change, Positions, SteeredSite
from sae_desktop.steering.job import steer
from sae_desktop.steering.output_effect import output_effect
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer, Target

TRANSCODERS = [name for name, case in CASES.items() if case.written]
SKIP = "circuit-tracer topk with a skip"
PROMPT = "In the beginning God created"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
EXACT = {"rtol": 1e-10, "atol": 1e-10}


@dataclass(frozen=True)
class World:
    case: Case
    project: Project
    opened: OpenedIndex
    model: Any
    """Loaded by transformers, apart from the one that the program holds."""
    ids: list[int]

    @property
    def features(self) -> list[int]:
        """Three that fire on the prompt, the strongest first."""
        acts = self.acts(self.model)
        return [int(f) for f in acts.amax(0).topk(3).indices]

    def top(self, feature: int) -> float:
        return float(self.opened.index.columns["max_activation"][feature])

    def acts(self, model: Any) -> Tensor:
        """(S, F), of the prompt's own tokens, by plain torch."""
        rows = input_of(self.case.module)(model, torch.tensor([self.ids]))[0]
        return self.case.encode(self.case.read(rows))[len(self.opened.bos) :]

    def double(self) -> World:
        """The same in float64, whose model norms in float64 too."""
        lm, own = copy.copy(self.opened.lm), self.opened.dictionary
        lm.model = copy.deepcopy(lm.model).double()
        assert own.W_skip is not None
        exact = Dictionary(
            own.W_enc.double(), own.b_enc.double(), own.W_dec.double(), own.b_dec.double(),
            k=own.k, W_skip=own.W_skip.double(), metadata=own.metadata,
        )  # fmt: skip
        opened = replace(self.opened, lm=lm, dictionary=exact)
        return replace(self, opened=opened, model=copy.deepcopy(self.model).double())


def make_world(folder: Path, name: str) -> World:
    case = CASES[name]
    path = toy_model(folder, case.model)
    project = in_project(folder, case, path)
    opened = open_index(str(project.path), "i", "cpu")
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    return World(case, project, opened, model, opened.bos + opened.lm.encode(PROMPT))


@pytest.fixture(scope="module", params=TRANSCODERS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("transcoder"), request.param)


@pytest.fixture(scope="module")
def skipping(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("skip"), SKIP)


# ---------------------------------------------------------------- by the program, and by hand
def logits_by_program(world: World, *variants: list[Intervention]) -> Tensor:
    """(B, S, V) of the prompt under each."""
    opened = world.opened
    preparer = Preparer(str(world.project.path), opened)
    steering = Steering(preparer, [preparer.plan(acts) for acts in variants])
    rows, specials = len(variants), len(opened.bos)
    positions = Positions([0] * rows, specials, [len(world.ids) - specials] * rows)
    batch = PaddedTokens.of([world.ids] * rows)
    return forward(opened.lm, batch, steering.transforms(positions), positions)[0]


@dataclass
class ByHand:
    """One change, as the formulas say it; `columns` of the whole sequence are changed."""

    feature: int
    mode: str
    value: float
    columns: slice | list[int]
    direction: Tensor | None = None

    def added(self, acts: Tensor) -> Tensor:
        a = acts[..., self.feature]
        c = {
            "clamp": self.value - a,
            "add": torch.full_like(a, self.value),
            "multiply": (self.value - 1) * a,
            "ablate": -a,
        }[self.mode]
        kept = torch.zeros_like(c)
        kept[:, self.columns] = c[:, self.columns]
        row = W["W_dec"][self.feature] if self.direction is None else self.direction
        return kept[..., None] * row.to(acts)


@contextmanager
def hooked(model: Any, read: str, written: str, case: Case, acts: list[ByHand]) -> Iterator[None]:
    found: list[Tensor] = []

    def before(module: Any, args: Any, kwargs: Any) -> None:
        x = args[0] if args else kwargs["hidden_states"]
        features = case.encode(case.read(x))
        found[:] = [torch.stack([act.added(features) for act in acts]).sum(0)]

    def after(module: Any, args: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (output[0] + found[0], *output[1:])
        return output + found[0]

    handles = [
        model.get_submodule(read).register_forward_pre_hook(before, with_kwargs=True),
        model.get_submodule(written).register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def plain_logits(world: World) -> Tensor:
    with torch.no_grad():
        logits: Tensor = world.model(torch.tensor([world.ids]), use_cache=False).logits[0]
    return logits


def logits_by_hand(world: World, acts: list[ByHand]) -> Tensor:
    case = world.case
    with hooked(world.model, case.module, case.written, case, acts):
        return plain_logits(world)


def own(world: World) -> slice:
    return slice(len(world.opened.bos), None)


# ---------------------------------------------------------------- equal to plain hooks
@pytest.mark.parametrize("unit", ["maximum", "norm"])
@pytest.mark.parametrize("mode", ["clamp", "add", "multiply", "ablate"])
def test_every_mode__equals_plain_hooks(world: World, mode: Any, unit: Any) -> None:
    feature = world.features[0]
    size = world.top(feature)
    if unit == "norm":
        size = Preparer(str(world.project.path), world.opened).typical_norm
    value = 3.0 if mode == "multiply" else 3.0 * size
    asked = Intervention(feature=feature, mode=mode, strength=3.0, unit=unit)
    found = logits_by_program(world, [asked])[0]
    expected = logits_by_hand(world, [ByHand(feature, mode, value, own(world))])
    torch.testing.assert_close(found, expected, **CLOSE)
    assert (found - plain_logits(world)).abs().max() > 1e-3


@pytest.mark.parametrize("mode", ["clamp", "add", "multiply", "ablate"])
def test_every_mode__is_exact_in_float64(skipping: World, mode: Any) -> None:
    world, feature = skipping.double(), skipping.features[0]
    value = 3.0 if mode == "multiply" else 3.0 * world.top(feature)
    asked = Intervention(feature=feature, mode=mode, strength=3.0)
    found = logits_by_program(world, [asked])[0]
    assert found.dtype == torch.float64
    expected = logits_by_hand(world, [ByHand(feature, mode, value, own(world))])
    torch.testing.assert_close(found, expected, **EXACT)


def test_several_features__with_places_of_their_own_add_up(world: World) -> None:
    first, second, third = world.features
    specials = len(world.opened.bos)
    asked = [
        Intervention(feature=first, strength=2.0, where="prompt", start=2),
        Intervention(feature=second, mode="multiply", strength=-1.5, tokens=[0, 3]),
        Intervention(feature=third, mode="ablate"),
    ]
    by_hand = [
        ByHand(first, "clamp", 2.0 * world.top(first), slice(specials + 2, None)),
        ByHand(second, "multiply", -1.5, [specials, specials + 3]),
        ByHand(third, "ablate", 0.0, own(world)),
    ]
    found = logits_by_program(world, asked)[0]
    torch.testing.assert_close(found, logits_by_hand(world, by_hand), **CLOSE)


def test_own_value__leaves_the_model_as_it_is(world: World) -> None:
    feature = world.features[0]
    acts = world.acts(world.model)[:, feature]
    at = int(acts.argmax())
    same = Intervention(feature=feature, mode="multiply", strength=1.0)
    nothing = Intervention(feature=feature, mode="add", strength=0.0)
    kept = Intervention(
        feature=feature, strength=float(acts[at]) / world.top(feature), tokens=[at]
    )  # fmt: skip
    plain = plain_logits(world)
    for acts in ([same], [nothing], [kept]):
        found = logits_by_program(world, acts)[0]
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-6)
    # Of what is not changed, not a bit is.
    preparer = Preparer(str(world.project.path), world.opened)
    positions = Positions([0], 0, [5])
    transforms = Steering(preparer, [preparer.plan([same, nothing])]).transforms(positions)
    for site, transform in transforms.items():
        x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(site.layer))
        assert torch.equal(transform(x), x)


def test_random_control__is_as_long_at_every_token(world: World) -> None:
    opened, feature = world.opened, world.features[0]
    asked = [Intervention(feature=feature, strength=4.0)]
    preparer = Preparer(str(world.project.path), opened)
    plans = [preparer.plan(acts) for acts in (asked, random_control(asked).interventions)]
    specials = len(opened.bos)
    positions = Positions([0, 0], specials, [len(world.ids) - specials] * 2)
    lengths: dict[int, Tensor] = {}
    transforms = Steering(preparer, plans).transforms(positions, lengths.__setitem__)
    forward(opened.lm, PaddedTokens.of([world.ids] * 2), transforms, positions)
    acts = world.acts(world.model)[:, feature]
    torch.testing.assert_close(lengths[0], (4.0 * world.top(feature) - acts).abs(), **CLOSE)
    torch.testing.assert_close(lengths[1], lengths[0], **CLOSE)


def test_what_is_read__holds_what_was_added_before_it(skipping: World) -> None:
    world, feature, d = skipping, skipping.features[0], RandomDirection(seed=3)
    site = world.case.site
    size = 2.0 * Preparer(str(world.project.path), world.opened).typical_norm
    raw = torch.randn(32, generator=torch.Generator().manual_seed(3))
    pushed = size * raw / raw.norm()
    asked = [
        Intervention(feature=feature, strength=2.0),
        Intervention(direction=d, mode="add", strength=2.0, unit="norm", sites=[site]),
    ]
    by_hand = [
        ByHand(feature, "clamp", 2.0 * world.top(feature), own(world)),
        ByHand(feature, "add", 1.0, own(world), pushed),
    ]

    def push(module: Any, args: Any) -> Any:
        x = args[0].clone()
        x[:, own(world)] += pushed
        return (x, *args[1:])

    handle = world.model.get_submodule(world.case.module).register_forward_pre_hook(push)
    try:
        expected = logits_by_hand(world, by_hand)
    finally:
        handle.remove()
    torch.testing.assert_close(logits_by_program(world, asked)[0], expected, **CLOSE)


def test_direction_alone__is_that_of_the_written_value(world: World) -> None:
    preparer = Preparer(str(world.project.path), world.opened)
    on, off = ["def add(first, second)"], ["In the beginning"]
    asked = Intervention(direction=MeanDifference(on=on, off=off), mode="add", unit="norm")
    ((target, (change,)),) = preparer.plan([asked]).items()
    assert str(target.site) == world.case.site_out

    def written(text: str) -> Tensor:
        found: list[Tensor] = []
        module = world.model.get_submodule(world.case.written)
        handle = module.register_forward_hook(lambda m, a, out: found.append(out))
        ids = world.opened.bos + world.opened.lm.encode(text)
        with torch.no_grad():
            world.model(torch.tensor([ids]), use_cache=False)
        handle.remove()
        value = found[0][0] if isinstance(found[0], tuple) else found[0]
        return value[0, len(world.opened.bos) :]

    difference = written(on[0]).mean(0) - written(off[0]).mean(0)
    expected = difference / difference.norm()
    torch.testing.assert_close(change.direction_D, expected, rtol=1e-4, atol=1e-5)


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
        sampling=Sampling(max_new_tokens=6), device="cpu",
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

    def dictionary_of(self, index: str) -> Dictionary:
        assert index == "i"
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
    steering = Steering(held, [{Target(written, "i", read): [change]}])
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
def test_dictionary__that_writes_no_single_site_is_refused(skipping: World) -> None:
    own = skipping.opened.dictionary

    def preparer(**changes: Any) -> None:
        dictionary = copy.copy(own)
        dictionary.metadata = own.metadata | changes.pop("metadata", {})
        for name, value in changes.items():
            setattr(dictionary, name, value)
        Preparer(str(skipping.project.path), replace(skipping.opened, dictionary=dictionary))

    with pytest.raises(UserError, match=r"crosscoder or cross-layer transcoder.* write 4 sites"):
        preparer(parts=(8, 8, 8, 8))
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
    steering = Steering(held, [{Target(written, "i", read): changes}])
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
