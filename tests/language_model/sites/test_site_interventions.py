"""What replaces a site's value changes what follows from it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from site_families import (
    DECODERS,
    ENCODERS,
    IDS,
    LAYERS,
    VARIANTS,
    Variant,
    language_model,
    part,
    seen_by,
    variant,
)
from torch import Tensor, nn
from toy_models import toy_config, toy_network
from transformers import AutoModelForCausalLM

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.capture import capture, capture_sites
from sae_desktop.language_model.sites.intervene import Transform, intervention, unembedding
from sae_desktop.language_model.sites.resolve import Site, list_sites, parse_site

LAYER = 1


def _sites(network: Any) -> list[Site]:
    return [parse_site(name) for name in list_sites(network) if name.startswith(f"blocks.{LAYER}.")]


def _result(network: Any, ids: Tensor = IDS) -> Tensor:
    """The logits, or an encoder's last hidden states."""
    with torch.no_grad():
        given = network(ids, use_cache=False)
    found = given.get("logits", given.get("last_hidden_state"))
    assert isinstance(found, Tensor)
    return found


def _shift(x: Tensor) -> Tensor:
    return x + 1.5 * torch.linspace(-1, 1, x.shape[-1], device=x.device)


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_intervention__moves_what_follows_and_identity_moves_nothing(model: Variant) -> None:
    lm = language_model(model.network)
    plain, sites = _result(lm.model), _sites(lm.model)
    seen = capture_sites(lm, IDS, None, sites)
    with _everywhere(lm, sites, lambda x: x):
        assert torch.equal(_result(lm.model), plain)
    for site in sites:
        shapes = []

        def shift(x: Tensor, shapes: list[torch.Size] = shapes) -> Tensor:
            shapes.append(x.shape)
            return _shift(x)

        with intervention(lm, site, shift):
            moved = _result(lm.model)
        assert shapes == [seen[site].shape], site
        assert not torch.allclose(moved, plain, atol=1e-3), site
    assert torch.equal(_result(lm.model), plain), "hooks are gone afterwards"


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_identity__moves_nothing_in_16_bit(model: Variant) -> None:
    network = toy_network(model.model_type, **dict(model.changes)).to(torch.bfloat16)
    plain = _result(network)
    with _everywhere(language_model(network), _sites(network), torch.clone):
        assert torch.equal(_result(network), plain)


@contextmanager
def _everywhere(lm: Any, sites: list[Site], transform: Transform) -> Iterator[None]:
    with ExitStack() as stack:
        for site in sites:
            stack.enter_context(intervention(lm, site, transform))
        yield


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_new_value__is_what_the_modules_after_it_read(model: Variant) -> None:
    hand, lm = model.hand, language_model(model.network)
    layers = part(lm.model, hand.layers)
    assert isinstance(layers, nn.ModuleList)
    layer = layers[LAYER]
    modules = {"out_proj": part(layer, hand.out_proj), "down": part(layer, hand.down)}
    modules["next"] = layers[LAYER + 1]
    modules["mlp"] = (
        part(layer, hand.mlp) or part(layer, "fc1") or part(layer, "intermediate.dense")
    )
    if model.model_type in ("bloom", "mpt"):
        modules["mlp"] = part(layer, "mlp") or part(layer, "ffn")
    readers = {
        "attn.hook_z": "out_proj",
        "mlp.hook_post": "down",
        "mlp.hook_in": "mlp",
        "hook_resid_post": "next",
    }
    for site in _sites(lm.model):
        if site.hook in readers:
            expected = _shift(capture(lm, IDS, None, site))
            with intervention(lm, site, _shift):
                read = seen_by(modules, lambda: _result(lm.model))[readers[site.hook]][0]
            torch.testing.assert_close(read.reshape(expected.shape), expected)


@pytest.mark.parametrize("model", [each for each in VARIANTS if each.hand.sums], ids=str)
def test_new_branch__is_what_the_stream_after_it_holds(model: Variant) -> None:
    hand, lm = model.hand, language_model(model.network)
    layers = part(lm.model, hand.layers)
    assert isinstance(layers, nn.ModuleList)
    norm = layers[LAYER].get_submodule(hand.stream_norms[1]) if hand.stream_norms else None
    entered = capture(lm, IDS, None, Site(LAYER, "hook_resid_pre"))
    attention = capture(lm, IDS, None, Site(LAYER, "hook_attn_out"))
    middle = entered + attention
    if hand.stream_norms:
        middle = capture(lm, IDS, None, Site(LAYER, "hook_resid_mid"))
    with intervention(lm, Site(LAYER, "hook_mlp_out"), lambda x: _shift(torch.zeros_like(x))):
        after = capture(lm, IDS, None, Site(LAYER, "hook_resid_post"))
    with torch.no_grad():
        expected = _shift(torch.zeros_like(middle)) + middle
        torch.testing.assert_close(
            after, norm(expected) if norm else expected, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("model", [each for each in VARIANTS if each.hand.mlp_norm], ids=str)
def test_new_middle__is_what_the_stream_holds_and_the_mlp_reads(model: Variant) -> None:
    hand, lm = model.hand, language_model(model.network)
    layers = part(lm.model, hand.layers)
    assert isinstance(layers, nn.ModuleList)
    layer = layers[LAYER]
    middle = Site(LAYER, "hook_resid_mid")
    expected = _shift(capture(lm, IDS, None, middle))
    with intervention(lm, middle, _shift):
        read = capture(lm, IDS, None, Site(LAYER, "mlp.hook_in"))
        given = capture(lm, IDS, None, Site(LAYER, "hook_mlp_out"))
        after = capture(lm, IDS, None, Site(LAYER, "hook_resid_post"))
    with torch.no_grad():
        if hand.stream_norms:
            own_read, own_after = (
                expected,
                layer.get_submodule(hand.stream_norms[1])(expected + given),
            )
        else:
            norm = hand.mlp_norm.removeprefix("-")
            own_read = layer.get_submodule(norm)(expected) if norm else expected
            own_after = expected + given
    torch.testing.assert_close(read, own_read, rtol=1e-4, atol=1e-4)
    if hand.sums:
        torch.testing.assert_close(after, own_after, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hook", ["hook_attn_out", "hook_mlp_out", "hook_resid_mid"])
@pytest.mark.parametrize("model_type", ["falcon", "llama", "granite"])
def test_value_put_in__is_not_changed_by_the_model(model_type: str, hook: str) -> None:
    model = (
        variant(model_type) if model_type != "falcon" else variant("falcon", parallel_attn=False)
    )
    if (model_type, hook) == ("falcon", "hook_mlp_out"):
        model = variant("falcon")  # adds attention's output to the MLP's in place
    lm = language_model(model.network)
    given = torch.linspace(-1, 1, 32).expand(*IDS.shape, 32).clone()
    kept = given.clone()
    with intervention(lm, Site(LAYER, hook), lambda x: given):  # type: ignore[arg-type]
        _result(lm.model)
    assert torch.equal(given, kept)


@pytest.mark.parametrize("hook", ["hook_resid_mid", "attn.hook_z", "hook_mlp_out"])
@pytest.mark.parametrize("model_type", ["llama", "granite", "bert"])
def test_change_made_in_place__does_the_same(model_type: str, hook: str) -> None:
    lm = language_model(variant(model_type).network)
    site = parse_site(f"blocks.{LAYER}.{hook}")
    with intervention(lm, site, lambda x: x * 2):
        expected = _result(lm.model)
    with intervention(lm, site, lambda x: x.mul_(2)):
        assert torch.allclose(_result(lm.model), expected, atol=1e-5)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "gemma2", "opt"])
def test_intervention__works_with_a_key_value_cache(model_type: str) -> None:
    lm = language_model(variant(model_type).network)
    for site in _sites(lm.model):
        with torch.no_grad(), intervention(lm, site, _shift):
            whole = lm.model(IDS).logits
            first = lm.model(IDS[:, :5], use_cache=True)
            rest = lm.model(IDS[:, 5:], past_key_values=first.past_key_values).logits
        torch.testing.assert_close(rest, whole[:, 5:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model_type", ["llama", "gemma2", "opt", "falcon", "bert"])
def test_layer_on_another_device__is_changed_there(model_type: str) -> None:
    # A device that holds no numbers stands in for a second one.
    network = toy_network(model_type)
    layers = part(network, variant(model_type).hand.layers)
    assert isinstance(layers, nn.ModuleList)
    for layer in layers[LAYER:]:
        layer.to("meta")
        add_hook_to_module(layer, AlignDevicesHook(execution_device="meta"))
    lm = language_model(network)
    for site in _sites(network):
        with intervention(lm, site, _shift):
            after = capture(lm, IDS, None, Site(LAYER, "hook_resid_post"))
        assert after.device.type == "meta"


@pytest.mark.parametrize("model_type", ["llama", "gemma2", "opt", "bert"])
def test_model_whose_weights_are_fetched_as_needed__does_the_same(model_type: str) -> None:
    changes = {"word_embed_proj_dim": 16} if model_type == "opt" else {}
    whole = language_model(toy_network(model_type, **changes))
    fetched = language_model(cpu_offload(toy_network(model_type, **changes), torch.device("cpu")))
    assert all(parameter.is_meta for parameter in fetched.model.parameters())
    sites = _sites(whole.model)
    values = capture_sites(whole, IDS, None, sites)
    for site, value in capture_sites(fetched, IDS, None, sites).items():
        assert torch.equal(value, values[site])
        with intervention(whole, site, _shift), intervention(fetched, site, _shift):
            assert torch.equal(_result(fetched.model), _result(whole.model))
    found, expected = unembedding(fetched), unembedding(whole)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


class _Quantised(nn.Linear):
    """A head whose weights are small integers, to be scaled."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return nn.functional.linear(input, self.weight.float() / 100, self.bias)


def test_unembedding__of_a_quantised_head_is_what_it_makes_of_directions() -> None:
    network = toy_network("llama")
    head = _Quantised(32, 320, bias=True)
    integers = torch.randint(-100, 100, (320, 32), generator=torch.Generator().manual_seed(2))
    head.weight = nn.Parameter(integers.to(torch.int8), requires_grad=False)
    network.lm_head = head
    found = unembedding(language_model(network))
    assert found is not None
    torch.testing.assert_close(found[0], integers.T / 100)


def test_intervention__at_a_site_that_is_not_there_is_refused() -> None:
    lm = language_model(variant("mixtral").network)
    with (
        pytest.raises(UserError, match="a mixture of experts"),
        intervention(lm, Site(0, "mlp.hook_post"), lambda x: x),
    ):
        pass


FINAL_NORMS = {
    **dict.fromkeys(("gpt2", "gpt_bigcode", "gpt_neo", "gptj", "codegen"), "transformer.ln_f"),
    **dict.fromkeys(("falcon", "bloom"), "transformer.ln_f"),
    "phi": "model.final_layernorm",
    "persimmon": "model.final_layernorm",
    "gpt_neox": "gpt_neox.final_layer_norm",
    "opt": "model.decoder.final_layer_norm",
    "xglm": "model.layer_norm",
    "biogpt": "biogpt.layer_norm",
    **dict.fromkeys(("lfm2", "lfm2_moe"), "model.embedding_norm"),
    "modernbert-decoder": "model.final_norm",
    "mpt": "transformer.norm_f",
    "gemma3": "model.language_model.norm",
}
# These squash their logits; what goes in is their inverse.
SOFT_CAPS = {"gemma2": 30.0, "vaultgemma": 30.0, "nanochat": 15.0}


@pytest.mark.parametrize(
    "model", [each for each in DECODERS if each.model_type != "modernbert-decoder"], ids=str
)
def test_unembedding__explains_the_logits(model: Variant) -> None:
    lm = language_model(model.network)
    found = unembedding(lm)
    assert found is not None
    W_U, scale = found
    assert W_U.shape == (32, 320)
    stream = capture(lm, IDS, None, Site(LAYERS - 1, "hook_resid_post"))
    norm = part(lm.model, FINAL_NORMS.get(model.model_type, "model.norm"))
    logits = _result(lm.model)
    cap = SOFT_CAPS.get(model.model_type)
    if cap is not None:
        logits = torch.atanh((logits / cap).double()).float() * cap
    bias = getattr(lm.model.get_output_embeddings(), "bias", None)
    with torch.no_grad():
        logits = logits - (0 if bias is None else bias)
        if norm is None:
            assert model.model_type == "opt"
            assert scale is None
            torch.testing.assert_close(stream @ W_U, logits, rtol=1e-3, atol=1e-3)
            return
        assert scale is not None
        if "LayerNorm" in type(norm).__name__:
            stream = stream - stream.mean(-1, keepdim=True)
        settings = lm.model.config.get_text_config()
        epsilon = next(
            float(value)
            for value in (
                getattr(norm, "eps", None),
                getattr(norm, "variance_epsilon", None),
                settings.to_dict().get("rms_norm_eps"),
                1e-5,  # OLMo's norm has no setting for it
            )
            if value is not None
        )
        x = stream / stream.pow(2).mean(-1, keepdim=True).add(epsilon).sqrt()
        bias = getattr(norm, "bias", None)
        normed = x * scale + (0 if bias is None else bias)
    torch.testing.assert_close(normed @ W_U, logits, rtol=1e-3, atol=1e-3)


def test_unembedding__has_what_gemma_and_llama_scale_by_exactly() -> None:
    for model_type, added in (("llama", 0.0), ("gemma2", 1.0), ("gemma3", 1.0)):
        network = variant(model_type).network
        norm = part(network, FINAL_NORMS.get(model_type, "model.norm"))
        found = unembedding(language_model(network))
        assert norm is not None
        assert found is not None
        assert torch.equal(found[1], norm.weight + added)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("model_type", ["llama", "gpt2", "olmo"])
def test_unembedding__in_16_bit_is_that_of_the_weights(model_type: str, dtype: torch.dtype) -> None:
    network = toy_network(model_type).to(dtype)
    found = unembedding(language_model(network))
    assert found is not None
    assert torch.equal(found[0], network.get_output_embeddings().weight.float().T)
    norm = part(network, FINAL_NORMS.get(model_type, "model.norm"))
    weight = getattr(norm, "weight", torch.ones(32))
    torch.testing.assert_close(found[1], weight.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", [*ENCODERS, variant("modernbert-decoder")], ids=str)
def test_unembedding__is_none_without_logits_or_past_a_further_layer(model: Variant) -> None:
    assert unembedding(language_model(model.network)) is None


def test_bert_as_a_decoder__has_its_sites_and_no_unembedding() -> None:
    config = toy_config("bert", is_decoder=True)
    network = AutoModelForCausalLM.from_config(config).eval()
    lm = language_model(network)
    assert list_sites(network) == list_sites(variant("bert").network)
    whole = capture(lm, IDS, None, Site(LAYER, "mlp.hook_post"))
    cut = capture(lm, IDS[:, :5], None, Site(LAYER, "mlp.hook_post"))
    torch.testing.assert_close(whole[:, :5], cut, rtol=1e-4, atol=1e-5)
    assert unembedding(lm) is None


def test_unembedding__is_that_of_a_loaded_model(toy_model_folder: Path) -> None:
    lm: LanguageModel = load_model(str(toy_model_folder))
    found = unembedding(lm)
    assert found is not None
    assert found[0].shape == (lm.width, lm.vocabulary_size)
    assert torch.equal(found[1], lm.model.model.norm.weight)
