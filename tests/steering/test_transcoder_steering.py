"""A transcoder steers where it writes, by what it reads in the same pass: held to plain hooks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transcoder_world import (
    CLOSE,
    ByHand,
    World,
    logits_by_hand,
    logits_by_program,
    own,
    plain_logits,
)

from sae_desktop.steering.config import (
    Intervention,
    MeanDifference,
    RandomDirection,
)
from sae_desktop.steering.controls import random_control
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer

EXACT = {"rtol": 1e-10, "atol": 1e-10}


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
        torch.testing.assert_close(found, plain, rtol=0, atol=4e-6)  # an ulp or two
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
    assert [str(site) for site in target.sites] == [world.case.site_out]

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
