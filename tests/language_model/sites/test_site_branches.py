"""What attention and MLP read, hold and give: against the model's own modules, named by hand.

Values at `attn.hook_z` and `mlp.hook_post` are held to what the projections after them read, and
the branches to what those projections make of them, by their weights.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from site_families import (
    IDS,
    LAYERS,
    VARIANTS,
    Variant,
    language_model,
    part,
    seen_by,
)
from torch import Tensor, nn
from toy_models import ENCODER_SIZES, SIZES, toy_config, toy_network
from toy_pictures import OWN_LAYERS

from sae_desktop.language_model.sites.capture import capture, capture_sites
from sae_desktop.language_model.sites.layer_parts import PARTS
from sae_desktop.language_model.sites.resolve import Site, list_sites, parse_site


@cache
def _all_captured(model: Variant) -> dict[Site, Tensor]:
    sites = [parse_site(name) for name in list_sites(model.network)]
    return capture_sites(language_model(model.network), IDS, None, sites)


def _captured(model: Variant, layer: int) -> dict[str, Tensor]:
    """Values by hook. No test changes them: they are read once for all."""
    found = _all_captured(model)
    return {site.hook: value for site, value in found.items() if site.layer == layer}


@cache
def _own(model: Variant) -> dict[str, tuple[Tensor, Tensor]]:
    """What enters and leaves the modules named by hand, as "layer name"."""
    names = ("out_proj", "down", "mlp")
    modules = {
        f"{number} {name}": part(_layer(model, number), getattr(model.hand, name))
        for number in range(LAYERS)
        for name in names
    }
    return seen_by(modules, lambda: model.network(IDS, use_cache=False))


def _layer(model: Variant, number: int) -> nn.Module:
    layers = part(model.network, model.hand.layers)
    assert isinstance(layers, nn.ModuleList)
    return layers[number]


def _projected(projection: Any, value: Tensor) -> Tensor:
    """W x + b by the weights of a projection."""
    W = projection.weight
    if type(projection).__name__ == "Conv1D":
        W = W.T
    with torch.no_grad():
        return value @ W.T + (0 if projection.bias is None else projection.bias)


def _normed(layer: nn.Module, name: str, value: Tensor) -> Tensor:
    with torch.no_grad():
        return layer.get_submodule(name)(value) if name else value


def _close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected.reshape(actual.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_heads_and_neurons__are_what_the_projections_read(model: Variant) -> None:
    compared = 0
    for number in range(LAYERS):
        read, own = _captured(model, number), _own(model)
        for hook, name in (("attn.hook_z", "out_proj"), ("mlp.hook_post", "down")):
            assert (hook in read) == (f"{number} {name}" in own)
            if hook in read:
                entered = own[f"{number} {name}"][0]
                assert torch.equal(read[hook], entered.reshape(read[hook].shape))
                compared += 1
    assert compared >= LAYERS / 2


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_branches__are_the_projections_of_heads_and_neurons(model: Variant) -> None:
    hand, compared = model.hand, 0
    for number in range(LAYERS):
        layer, read = _layer(model, number), _captured(model, number)
        for hook, projection, norm, branch in (
            ("attn.hook_z", hand.out_proj, hand.after_attention, "hook_attn_out"),
            ("mlp.hook_post", hand.down, hand.after_mlp, "hook_mlp_out"),
        ):
            if hook in read:
                given = _projected(layer.get_submodule(projection), read[hook])
                _close(read[branch], _normed(layer, norm, given) * hand.scale)
                compared += 1
    assert compared >= LAYERS / 2


@pytest.mark.parametrize("model", [each for each in VARIANTS if each.hand.mlp], ids=str)
def test_mlp__is_what_the_whole_mlp_reads_and_gives(model: Variant) -> None:
    hand = model.hand
    for number in range(LAYERS):
        layer, read = _layer(model, number), _captured(model, number)
        own = _own(model)[f"{number} mlp"]
        assert torch.equal(read["mlp.hook_in"], own[0])
        given = _normed(layer, hand.after_mlp, own[1].reshape(own[0].shape))
        torch.testing.assert_close(read["hook_mlp_out"], given * hand.scale)


@pytest.mark.parametrize(
    "model", [each for each in VARIANTS if each.hand.stream_norms is None], ids=str
)
def test_branches__add_up_to_the_stream(model: Variant) -> None:
    hand = model.hand
    for number in range(LAYERS):
        layer, read = _layer(model, number), _captured(model, number)
        middle = read["hook_resid_pre"] + read["hook_attn_out"]
        if hand.sums:
            _close(middle + read["hook_mlp_out"], read["hook_resid_post"])
        if hand.mlp_norm:
            _close(middle, read["hook_resid_mid"])
            norm = hand.mlp_norm.removeprefix("-")
            _close(read["mlp.hook_in"], _normed(layer, norm, read["hook_resid_mid"]))


@pytest.mark.parametrize("model", [each for each in VARIANTS if each.hand.stream_norms], ids=str)
def test_normed_stream__is_the_norm_of_the_sum(model: Variant) -> None:
    assert model.hand.stream_norms is not None
    first, second = model.hand.stream_norms
    for number in range(LAYERS):
        layer, read = _layer(model, number), _captured(model, number)
        middle = _normed(layer, first, read["hook_resid_pre"] + read["hook_attn_out"])
        _close(read["hook_resid_mid"], middle)
        assert torch.equal(read["mlp.hook_in"], read["hook_resid_mid"])
        last = _normed(layer, second, read["hook_resid_mid"] + read["hook_mlp_out"])
        _close(read["hook_resid_post"], last)


# Where an architecture keeps its values, and how many heads of queries share one.
VALUES = {
    "llama": ("model.layers.1.self_attn.v_proj", 2),
    "qwen3": ("model.layers.1.self_attn.v_proj", 2),
    "gemma2": ("model.layers.1.self_attn.v_proj", 2),
    "opt": ("model.decoder.layers.1.self_attn.v_proj", 1),
    "bert": ("encoder.layer.1.attention.self.value", 1),
    "distilbert": ("transformer.layer.1.attention.v_lin", 1),
}


@pytest.mark.parametrize("model_type", VALUES)
def test_heads__lie_side_by_side_in_their_order(model_type: str) -> None:
    network = toy_network(model_type, attn_implementation="eager")
    path, shared = VALUES[model_type]
    found: dict[str, Any] = {}

    def run() -> None:
        found["attentions"] = network(IDS, output_attentions=True).attentions

    values = seen_by({"values": part(network, path)}, run)["values"][1]
    weights_BHST = found["attentions"][1]
    heads = weights_BHST.shape[1]
    values_BTHE = values.unflatten(-1, (heads // shared, -1)).repeat_interleave(shared, dim=2)
    own_BSHE = torch.einsum("bhst,bthe->bshe", weights_BHST, values_BTHE)
    site = parse_site("blocks.1.attn.hook_z")
    z_BSZ = capture_sites(language_model(network), IDS, None, [site])[site]
    _close(z_BSZ.unflatten(-1, (heads, -1)), own_BSHE)


def test_gemma_4__scales_the_stream_at_the_end_of_a_layer() -> None:
    network = toy_network("gemma4_text")
    network.model.layers[1].layer_scalar.fill_(0.5)
    lm = language_model(network)
    middle, given, after = (
        capture(lm, IDS, None, Site(1, hook))  # type: ignore[arg-type]
        for hook in ("hook_resid_mid", "hook_mlp_out", "hook_resid_post")
    )
    _close(after, 0.5 * (middle + given))


def test_gemma_4_with_experts__has_no_single_input_of_its_mlp() -> None:
    network = toy_network(
        "gemma4_text",
        enable_moe_block=True,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=16,
    )
    inside = [name for name in list_sites(network) if name.startswith("blocks.1.")]
    assert [name for name in inside if "mlp.hook" in name] == []
    lm = language_model(network)
    middle, given, after = (
        capture(lm, IDS, None, Site(1, hook))  # type: ignore[arg-type]
        for hook in ("hook_resid_mid", "hook_mlp_out", "hook_resid_post")
    )
    _close(after, middle + given)


def test_every_architecture_of_the_table__is_among_the_variants() -> None:
    tested = {toy_config(name).model_type for name in SIZES | ENCODER_SIZES}
    assert set(PARTS) == tested | set(OWN_LAYERS.values())
    assert {each.model_type for each in VARIANTS} == tested | {"gemma3"}
