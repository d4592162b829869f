"""Which sites a model has, their shapes, and that the stream is the model's own, bit for bit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from site_families import (
    DECODERS,
    ENCODERS,
    IDS,
    LAYERS,
    VARIANTS,
    Variant,
    hidden_states,
    language_model,
    norms_before,
    part,
    seen_by,
    variant,
)
from torch import nn
from toy_models import toy_config, toy_network
from transformers import CONFIG_MAPPING, AutoModel, AutoModelForCausalLM

from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.capture import by_token, capture, capture_sites
from sae_desktop.language_model.sites.resolve import (
    Site,
    check_site,
    decoder_layers,
    list_sites,
    parse_site,
    site_shape,
    site_width,
)


def _hooks(network: Any, layer: int) -> list[str]:
    prefix = f"blocks.{layer}."
    return [name.removeprefix(prefix) for name in list_sites(network) if name.startswith(prefix)]


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_residual_stream__equals_the_models_own_hidden_states(model: Variant) -> None:
    lm = language_model(model.network)
    own = hidden_states(model.network)
    found = capture_sites(
        lm,
        IDS,
        None,
        [Site(layer, hook) for layer in range(LAYERS) for hook in _STREAM],
    )
    assert len(own) == LAYERS + 1
    for layer in range(LAYERS):
        assert torch.equal(found[Site(layer, "hook_resid_pre")], own[layer])
        if layer < LAYERS - 1:  # the model gives the last one only after its final norm
            assert torch.equal(found[Site(layer, "hook_resid_post")], own[layer + 1])
    last = part(model.network, f"{model.hand.layers}.{LAYERS - 1}")
    seen = seen_by({"last": last}, lambda: model.network(IDS, use_cache=False))
    assert torch.equal(found[Site(LAYERS - 1, "hook_resid_post")], seen["last"][1])


_STREAM = ("hook_resid_pre", "hook_resid_post")


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_sites__are_those_the_layers_have(model: Variant) -> None:
    hand = model.hand
    layers = part(model.network, hand.layers)
    for number, layer in enumerate(layers):
        attention, mlp = norms_before(hand, layer)
        centres = hand.centres and hand.stream_norms is None
        there = {
            "hook_resid_pre": True,
            "hook_resid_pre.centred": centres,
            "ln1.hook_normalized": attention is not None,
            "attn.hook_in": bool(hand.attention_norm),
            "attn.hook_z": part(layer, hand.out_proj) is not None,
            "hook_attn_out": True,
            "hook_attn_out.centred": centres,
            "hook_resid_mid": bool(hand.mlp_norm),
            "hook_resid_mid.centred": centres and bool(hand.mlp_norm),
            "ln2.hook_normalized": mlp is not None,
            "mlp.hook_in": True,
            "mlp.hook_post": part(layer, hand.down) is not None,
            "hook_mlp_out": True,
            "hook_mlp_out.centred": centres,
            "hook_resid_post": True,
            "hook_resid_post.centred": centres,
        }
        assert _hooks(model.network, number) == [hook for hook, has in there.items() if has]


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_widths__are_those_of_the_values_and_need_no_weights(model: Variant) -> None:
    lm = language_model(model.network)
    sites = [parse_site(name) for name in list_sites(model.network)]
    found = capture_sites(lm, IDS, None, sites)
    with torch.device("meta"):
        kind = AutoModel if model.encoder else AutoModelForCausalLM
        empty = kind.from_config(toy_config(model.model_type, **dict(model.changes)))
    assert list_sites(empty) == list_sites(model.network)
    for site in sites:
        assert found[site].shape == (*IDS.shape, site_width(empty, site)), site
        assert site_width(model.network, site) == site_width(empty, site)
        assert site_shape(model.network, site) == site_shape(empty, site)


@pytest.mark.parametrize(
    ("model", "heads", "neurons"),
    [
        (variant("llama"), "4 heads × 8", "64 neurons"),
        (variant("llama", intermediate_size=1536), "4 heads × 8", "1,536 neurons"),
        (variant("qwen3"), "4 heads × 16", "64 neurons"),
        (variant("phi3"), "4 heads × 8", "64 neurons"),
        (variant("gpt2"), "4 heads × 8", "128 neurons"),
        (variant("falcon", new_decoder_architecture=True, num_kv_heads=2), "4 heads × 8", None),
        (variant("opt", word_embed_proj_dim=16), "4 heads × 8", "64 neurons"),
        (variant("deepseek_v3"), "4 heads × 12", "64 neurons"),
        (variant("bert"), "4 heads × 8", "64 neurons"),
    ],
    ids=str,
)
def test_shapes__tell_heads_and_neurons(model: Variant, heads: str, neurons: str | None) -> None:
    assert site_shape(model.network, Site(1, "attn.hook_z")) == heads
    if neurons is not None:
        assert site_shape(model.network, Site(1, "mlp.hook_post")) == neurons
    assert site_shape(model.network, Site(1, "hook_attn_out")) == "32"


def test_layers_of_several_kinds__have_sites_of_their_own() -> None:
    mixed = variant("qwen2_moe").network
    assert "mlp.hook_post" not in _hooks(mixed, 0)
    assert "mlp.hook_post" in _hooks(mixed, 1)
    assert "attn.hook_z" not in _hooks(variant("lfm2").network, 0)
    assert "attn.hook_z" in _hooks(variant("lfm2").network, 1)


def test_bloom_in_slices__names_no_projection_that_is_passed_by() -> None:
    network = toy_network("bloom", pretraining_tp=2, slow_but_exact=True)
    plain = [hook for hook in _hooks(network, 0) if "centred" not in hook]
    assert plain == ["hook_resid_pre", "ln2.hook_normalized", "mlp.hook_in", "hook_resid_post"]
    with pytest.raises(UserError, match="its projections are computed in slices"):
        check_site(network, Site(0, "attn.hook_z"))


def test_encoder_that_reads_in_chunks__names_no_site_of_the_mlp() -> None:
    network = toy_network("bert", chunk_size_feed_forward=3)
    assert [hook for hook in _hooks(network, 0) if "mlp" in hook] == []
    with pytest.raises(UserError, match="its MLP reads a text in pieces"):
        check_site(network, Site(0, "mlp.hook_post"))
    own = hidden_states(network)
    read = capture(language_model(network), IDS, None, Site(0, "hook_resid_post"))
    assert torch.equal(read, own[1])


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_several_sites__of_one_pass_are_those_of_a_pass_each(model: Variant) -> None:
    lm = language_model(model.network)
    sites = [parse_site(f"blocks.{n}.{hook}") for n in (1, 2) for hook in _hooks(lm.model, n)]
    together = capture_sites(lm, IDS, None, sites[::-1])
    assert together.keys() == set(sites)
    for site in sites[::3]:
        assert torch.equal(together[site], capture(lm, IDS, None, site)), site


# Architectures outside the table: a recurrent one, one whose attention is itself a mixture.
UNKNOWN = {
    "recurrent_gemma": {"num_key_value_heads": 2, "lru_width": 32},
    "jetmoe": {"kv_channels": 8, "num_key_value_heads": 2, "num_local_experts": 2},
}


@pytest.mark.parametrize("model_type", UNKNOWN)
def test_unknown_decoder__has_the_input_and_the_output_of_each_layer(model_type: str) -> None:
    kind = CONFIG_MAPPING[model_type]
    config = kind(
        hidden_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=64,
        vocab_size=320,
        **UNKNOWN[model_type],
    )
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(config).eval()
    assert {_hook for n in range(LAYERS) for _hook in _hooks(network, n)} == set(_STREAM)
    own = hidden_states(network)
    lm = language_model(network)
    for layer in range(LAYERS - 1):
        read = capture(lm, IDS, None, Site(layer, "hook_resid_post"))
        assert torch.equal(read, own[layer + 1])
        assert site_shape(network, Site(layer, "hook_resid_post")) == "32"
    with pytest.raises(UserError, match=f"for a “{model_type}” model only the inputs"):
        check_site(network, Site(0, "hook_attn_out"))


def test_code_of_a_models_own__is_not_taken_for_the_architecture_it_names() -> None:
    network = toy_network("llama")
    layer = type(network.model.layers[0])
    own = type("OwnLayer", (layer,), {"__module__": "transformers_modules.own"})
    for each in network.model.layers:
        each.__class__ = own
    assert _hooks(network, 0) == list(_STREAM)
    with pytest.raises(
        UserError, match="for a “llama” model only the inputs and outputs of layers"
    ):
        check_site(network, Site(0, "hook_mlp_out"))


def test_several_streams__are_refused_with_the_reason() -> None:
    config = SimpleNamespace(model_type="deepseek_v4", num_hidden_layers=1)
    config.get_text_config = lambda: config
    network = nn.Module()
    network.config = config  # type: ignore[assignment]
    network.layers = nn.ModuleList([nn.Identity()])
    with pytest.raises(UserError, match="keeps several residual streams"):
        list_sites(network)


@pytest.mark.parametrize("shape", [(2, 9, 4, 8), (4, 2, 9, 8), (9, 2, 8), (17, 8), (2, 41, 8)])
def test_value_that_is_no_vector_a_token__is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="does not hold one vector per token"):
        by_token(torch.zeros(shape), 2, 9, Site(0, "hook_resid_post"))


def test_value_with_windows_in_a_row__is_laid_out_by_token() -> None:
    value = torch.randn(18, 8)
    assert torch.equal(by_token(value, 2, 9, Site(0, "mlp.hook_in")), value.reshape(2, 9, 8))


@pytest.mark.parametrize("name", ["blocks.0", "layers.3", "blocks.x.hook_resid_post", ""])
def test_parse_site__refuses_what_is_no_site(name: str) -> None:
    with pytest.raises(UserError, match="is not a site"):
        parse_site(name)


@pytest.mark.parametrize("hook", ["attn.hook_z", "mlp.hook_post", "mlp.hook_in", "hook_resid_mid"])
def test_parse_site__reads_what_a_site_writes(hook: str) -> None:
    assert str(parse_site(f"blocks.12.{hook}")) == f"blocks.12.{hook}"


@pytest.mark.parametrize(
    ("model", "name", "why"),
    [
        (variant("gpt_neox"), "blocks.9.hook_resid_post", "no site “blocks.9.hook_resid_post”"),
        (variant("gpt_neox"), "blocks.0.hook_resid_mid", "attention and MLP run side by side"),
        (variant("mixtral"), "blocks.0.mlp.hook_post", "a mixture of experts"),
        (
            variant("bloom", apply_residual_connection_post_layernorm=True),
            "blocks.0.hook_resid_mid",
            "to the norm of the stream, not to the stream itself",
        ),
    ],
    ids=str,
)
def test_site_that_does_not_exist__says_why_and_lists_those_that_do(
    model: Variant, name: str, why: str
) -> None:
    with pytest.raises(UserError, match=why) as caught:
        check_site(model.network, parse_site(name))
    assert "blocks.0 to blocks.3, each with" in caught.value.next_step
    assert "hook_mlp_out" in caught.value.next_step


def test_site_one_layer_lacks__lists_those_of_that_layer() -> None:
    with pytest.raises(UserError, match="that layer has no attention heads") as caught:
        check_site(variant("lfm2").network, Site(0, "attn.hook_z"))
    assert "blocks.0 has hook_resid_pre, ln1.hook_normalized" in caught.value.next_step
    with pytest.raises(UserError) as caught:
        check_site(variant("lfm2").network, Site(4, "attn.hook_z"))
    assert caught.value.next_step == "It has blocks.0 to blocks.3."


def test_layers_of_images__are_not_taken_for_the_texts() -> None:
    network = variant("gemma3").network
    assert decoder_layers(network) is network.model.language_model.layers
    count = sum(
        isinstance(module, nn.ModuleList) and len(module) == LAYERS for module in network.modules()
    )
    assert count == 2


@pytest.mark.parametrize("sense", ["visual", "vision_tower", "audio_encoder"])
def test_layers_of_other_senses__are_not_the_texts(sense: str) -> None:
    config = SimpleNamespace(model_type="llama", num_hidden_layers=2)
    config.get_text_config = lambda: config
    network = nn.Module()
    network.config = config  # type: ignore[assignment]
    other = nn.Module()
    other.blocks = nn.ModuleList([nn.Identity(), nn.Identity()])
    network.add_module(sense, other)
    network.layers = nn.ModuleList([nn.Identity(), nn.Identity()])
    assert decoder_layers(network) is network.layers


def test_every_variant__is_told_by_its_name() -> None:
    assert len(DECODERS) + len(ENCODERS) == len({str(each) for each in VARIANTS})
