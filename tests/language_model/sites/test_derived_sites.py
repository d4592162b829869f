"""Norms without their gain and streams without their mean: by formulas written out by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from site_families import (
    IDS,
    VARIANTS,
    Variant,
    language_model,
    norms_before,
    part,
    seen_by,
    variant,
)
from torch import Tensor, nn
from toy_models import toy_network

from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.capture import capture, capture_sites
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import (
    Site,
    check_site,
    hook_point,
    list_sites,
    parse_site,
)

LAYER = 1
_ADDS_ONE = (
    "gemma", "gemma2", "gemma3_text", "vaultgemma", "nemotron", "qwen3_next", "qwen3_5_text",
    "qwen3_5_moe_text",
)  # fmt: skip
"""Whose norms scale by their weight + 1."""
_EPSILONS = (
    "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon",
)  # fmt: skip


@cache
def _shaken(model: Variant) -> Any:
    """The model with gains and biases of its norms far from 1 and 0."""
    network = toy_network(model.model_type, **dict(model.changes))
    generator = torch.Generator().manual_seed(4)
    layers = part(network, model.hand.layers)
    assert isinstance(layers, nn.ModuleList)
    for layer in layers:
        for norm in norms_before(model.hand, layer):
            for parameter in () if norm is None else norm.parameters():
                values = torch.rand(parameter.shape, generator=generator) * 3 + 0.3
                parameter.data.copy_(values)
    return network


def _by_hand(network: Any, x: Tensor, *, centres: bool) -> Tensor:
    """x / rms(x), of a LayerNorm (x − mean) / standard deviation."""
    config = network.config.get_text_config()
    found = [getattr(config, name) for name in _EPSILONS if hasattr(config, name)]
    x = x.float()
    if centres:
        x = x - x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + (found[0] if found else 1e-5)).sqrt()


def _gain_and_bias(network: Any, norm: nn.Module) -> tuple[Tensor, Tensor]:
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    adds = network.config.get_text_config().model_type in _ADDS_ONE
    return (
        torch.ones(()) if weight is None else weight.detach() + (1.0 if adds else 0.0),
        torch.zeros(()) if bias is None else bias.detach(),
    )


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_normed_input__is_the_streams_norm_before_gain_and_bias(model: Variant) -> None:
    network, hand = _shaken(model), model.hand
    layer = part(network, f"{hand.layers}.{LAYER}")
    assert layer is not None
    attention, mlp = norms_before(hand, layer)
    middle = "hook_resid_mid" if hand.mlp_norm else "hook_resid_pre"
    if str(model).startswith("bloom-apply"):
        middle = ""  # its MLP's norm reads the attention's output and a norm of the stream
    sites = [s for s in map(parse_site, list_sites(network)) if s.layer == LAYER]
    found = {s.hook: v for s, v in capture_sites(language_model(network), IDS, None, sites).items()}
    for norm, read, hook, reader in (
        (attention, "hook_resid_pre", "ln1.hook_normalized", "attn.hook_in"),
        (mlp, middle, "ln2.hook_normalized", "mlp.hook_in"),
    ):
        if norm is None:
            assert hook not in found
            continue
        if read:
            expected = _by_hand(network, found[read], centres=hand.centres)
            torch.testing.assert_close(found[hook], expected, rtol=1e-5, atol=1e-5)
        gain, bias = _gain_and_bias(network, norm)
        torch.testing.assert_close(
            found[reader], found[hook] * gain + bias, rtol=1e-5, atol=2e-5
        )  # fmt: skip


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_change_of_a_normed_input__goes_through_the_gain_into_its_branch(model: Variant) -> None:
    network, lm = _shaken(model), language_model(_shaken(model))
    layer = part(network, f"{model.hand.layers}.{LAYER}")
    assert layer is not None
    for norm, hook, reader, other in zip(
        norms_before(model.hand, layer),
        ("ln1.hook_normalized", "ln2.hook_normalized"),
        ("attn.hook_in", "mlp.hook_in"),
        ("mlp.hook_in", "attn.hook_in"),
        strict=True,
    ):
        if norm is None:
            continue
        site, read = parse_site(f"blocks.{LAYER}.{hook}"), parse_site(f"blocks.{LAYER}.{reader}")
        plain = capture(lm, IDS, None, read)
        push = torch.linspace(-2, 2, plain.shape[-1])
        seen: list[Tensor] = []

        def shift(x: Tensor, seen: list[Tensor] = seen, push: Tensor = push) -> Tensor:
            seen.append(x.clone())
            return x + push

        with intervention(lm, site, shift):
            moved = _entering(lm, read)
            if other == "attn.hook_in":  # which is read before the MLP is
                beside = _entering(lm, parse_site(f"blocks.{LAYER}.{other}"))
                left = capture(lm, IDS, None, parse_site(f"blocks.{LAYER}.{other}"))
                torch.testing.assert_close(beside, left)
        gain, _ = _gain_and_bias(network, norm)
        torch.testing.assert_close(moved, plain + push * gain, rtol=1e-5, atol=2e-5)
        assert torch.equal(seen[0], capture(lm, IDS, None, site))


def _entering(lm: Any, site: Site) -> Tensor:
    """What the module of a site is given, hooks and all."""
    modules = {"reader": hook_point(lm.model, site).module}
    found = seen_by(modules, lambda: lm.model(IDS, use_cache=False))["reader"][0]
    return found.reshape(*IDS.shape, -1)


CENTRED = [each for each in VARIANTS if each.hand.centres and each.hand.stream_norms is None]


@pytest.mark.parametrize("model", CENTRED, ids=str)
def test_centred_site__is_less_its_mean_and_what_is_added_is_added_to_the_stream(
    model: Variant,
) -> None:
    network, lm = model.network, language_model(model.network)
    hooks = ["hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post"]
    if not model.hand.mlp_norm:
        hooks.remove("hook_resid_mid")
    for hook in hooks:
        site, plain = (parse_site(f"blocks.{LAYER}.{name}") for name in (f"{hook}.centred", hook))
        value, whole = capture(lm, IDS, None, site), capture(lm, IDS, None, plain)
        torch.testing.assert_close(value, whole - whole.mean(-1, keepdim=True))
        assert value.mean(-1).abs().max() < 1e-5
        push = torch.linspace(0, 3, value.shape[-1])  # of a mean that is not 0
        results = []
        for at in (site, plain):
            with intervention(lm, at, lambda x, push=push: x + push), torch.no_grad():
                results.append(network(IDS, use_cache=False)[0])
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


def test_centred_stream__is_that_of_a_model_whose_writing_weights_are_centred() -> None:
    plain = toy_network("gpt2")
    centred = toy_network("gpt2")
    with torch.no_grad():
        for module in centred.transformer.wte, centred.transformer.wpe:
            module.weight -= module.weight.mean(-1, keepdim=True)
        for layer in centred.transformer.h:
            for writing in layer.attn.c_proj, layer.mlp.c_proj:  # (inputs, D)
                writing.weight -= writing.weight.mean(-1, keepdim=True)
                writing.bias -= writing.bias.mean()
    for name in list_sites(plain):
        site = parse_site(name)
        hook = site.hook.removesuffix(".centred")
        ours = capture(language_model(plain), IDS, None, site)
        theirs = capture(
            language_model(centred), IDS, None, parse_site(f"blocks.{site.layer}.{hook}")
        )
        if hook == site.hook and f"{name}.centred" in list_sites(plain):
            assert not torch.allclose(ours, theirs, atol=1e-3)
        else:
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_site_that_norms_do_not_allow__says_why() -> None:
    with pytest.raises(UserError, match="do not subtract the stream's mean"):
        check_site(variant("llama").network, parse_site("blocks.1.hook_resid_pre.centred"))
    with pytest.raises(UserError, match="no norm before its MLP"):
        check_site(variant("olmo2").network, parse_site("blocks.1.ln2.hook_normalized"))
