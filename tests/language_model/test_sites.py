"""Sites hold what their names say, in every architecture that has them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from toy_models import LAYERS, SIZES, toy_network

from sae_desktop.errors import UserError
from sae_desktop.language_model.capture import capture, capture_sites
from sae_desktop.language_model.intervene import intervention, unembedding
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.site_names import HOOKS
from sae_desktop.language_model.sites import Site, check_site, list_sites, parse_site

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SIZES),
    ("gpt_neox", {"use_parallel_residual": False}),
    ("falcon", {"parallel_attn": False}),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    ("opt", {"do_layer_norm_before": False}),
]
IDS = torch.randint(3, 320, (2, 9), generator=torch.Generator().manual_seed(1))


def bare(model_type: str, changes: dict[str, Any]) -> Any:
    """A language model without files: what capture and intervention need of one."""
    from threading import RLock

    model = toy_network(model_type, **changes)
    return SimpleNamespace(model=model, lock=RLock(), device=torch.device("cpu"))


@pytest.mark.parametrize(("model_type", "changes"), VARIANTS)
def test_resid_post__equals_the_models_own_hidden_states(
    model_type: str, changes: dict[str, Any]
) -> None:
    lm = bare(model_type, changes)
    with torch.no_grad():
        own = lm.model(IDS, output_hidden_states=True).hidden_states
    for layer in range(LAYERS - 1):  # the last one the model itself gives only after its norm
        assert torch.equal(capture(lm, IDS, None, Site(layer, "hook_resid_post")), own[layer + 1])
        assert torch.equal(capture(lm, IDS, None, Site(layer, "hook_resid_pre")), own[layer])


@pytest.mark.parametrize(("model_type", "changes"), VARIANTS)
def test_branches__add_up_to_the_stream(model_type: str, changes: dict[str, Any]) -> None:
    lm = bare(model_type, changes)
    if model_type == "opt" and changes:
        pytest.skip("this OPT norms the stream itself")
    read = {
        hook: capture(lm, IDS, None, parse_site(f"blocks.1.{hook}"))
        for hook in HOOKS
        if f"blocks.1.{hook}" in list_sites(lm.model)
    }
    total = read["hook_resid_pre"] + read["hook_attn_out"] + read["hook_mlp_out"]
    torch.testing.assert_close(total, read["hook_resid_post"], rtol=1e-4, atol=1e-4)
    if "hook_resid_mid" in read:
        middle = read["hook_resid_pre"] + read["hook_attn_out"]
        torch.testing.assert_close(middle, read["hook_resid_mid"], rtol=1e-4, atol=1e-4)


# Where each layer keeps its MLP, and what stands between the stream and it.
MLP_OF = {
    "llama": lambda model: (model.model.layers, "post_attention_layernorm"),
    "gpt2": lambda model: (model.transformer.h, "ln_2"),
    "gemma2": lambda model: (model.model.layers, "pre_feedforward_layernorm"),
    "olmo2": lambda model: (model.model.layers, None),
    "gpt_neox": lambda model: (model.gpt_neox.layers, None),
}


@pytest.mark.parametrize("model_type", MLP_OF)
def test_mlp_sites__are_what_the_mlp_reads_and_gives(model_type: str) -> None:
    lm = bare(model_type, {})
    layers, norm = MLP_OF[model_type](lm.model)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    handle = layers[1].mlp.register_forward_hook(
        lambda module, args, output: seen.append((args[0], output))
    )
    with torch.no_grad():
        lm.model(IDS)
    handle.remove()
    read = capture(lm, IDS, None, Site(1, "mlp.hook_in"))
    assert torch.equal(read, seen[0][0])
    with torch.no_grad():
        if model_type in ("llama", "gpt2", "gpt_neox"):
            assert torch.equal(capture(lm, IDS, None, Site(1, "hook_mlp_out")), seen[0][1])
        if norm is not None:
            middle = capture(lm, IDS, None, Site(1, "hook_resid_mid"))
            torch.testing.assert_close(getattr(layers[1], norm)(middle), read)


@pytest.mark.parametrize(("model_type", "changes"), VARIANTS)
def test_several_sites__of_one_pass_are_those_of_a_pass_each(
    model_type: str, changes: dict[str, Any]
) -> None:
    lm = bare(model_type, changes)
    sites = [parse_site(name) for name in list_sites(lm.model) if "blocks.3" not in name]
    together = capture_sites(lm, IDS, None, sites[::-1])
    assert together.keys() == set(sites)
    for site in sites:
        assert torch.equal(together[site], capture(lm, IDS, None, site)), site


@pytest.mark.parametrize(("model_type", "changes"), VARIANTS)
def test_parallel_layers__have_no_middle(model_type: str, changes: dict[str, Any]) -> None:
    model = toy_network(model_type, **changes)
    settings = model.config
    parallel = (
        getattr(settings, "use_parallel_residual", False)
        or getattr(settings, "parallel_attn", False)
        or not getattr(settings, "do_layer_norm_before", True)
    )
    assert ("blocks.0.hook_resid_mid" in list_sites(model)) == (not parallel)


@pytest.mark.parametrize(("model_type", "changes"), VARIANTS)
def test_intervention__moves_what_follows_and_identity_moves_nothing(
    model_type: str, changes: dict[str, Any]
) -> None:
    lm = bare(model_type, changes)
    with torch.no_grad():
        plain = lm.model(IDS).logits
        for name in (n for n in list_sites(lm.model) if n.startswith("blocks.2.")):
            site = parse_site(name)
            with intervention(lm, site, lambda x: x):
                assert torch.equal(lm.model(IDS).logits, plain), name
            seen = capture(lm, IDS, None, site)
            shapes = []

            def shift(x: torch.Tensor, shapes: list[torch.Size] = shapes) -> torch.Tensor:
                shapes.append(x.shape)
                return x + 1.5 * torch.linspace(-1, 1, x.shape[-1])

            with intervention(lm, site, shift):
                after = capture(lm, IDS, None, Site(2, "hook_resid_post"))
                moved = lm.model(IDS).logits
            assert shapes[0] == seen.shape, name
            assert not torch.allclose(moved, plain, atol=1e-3), name
            if name.endswith("resid_post"):
                torch.testing.assert_close(after, shift(seen))
            assert torch.equal(lm.model(IDS).logits, plain), "hooks are gone afterwards"


def test_intervention__at_the_middle_changes_the_stream_and_the_mlp() -> None:
    lm = bare("llama", {})
    middle = Site(1, "hook_resid_mid")
    with intervention(lm, middle, torch.zeros_like):
        stream = capture(lm, IDS, None, Site(1, "hook_resid_post"))
        branch = capture(lm, IDS, None, Site(1, "hook_mlp_out"))
    torch.testing.assert_close(stream, branch, atol=1e-5, rtol=1e-5)


def test_capture__runs_no_layer_after_the_last_site() -> None:
    lm = bare("llama", {})
    calls = [0] * LAYERS
    head_calls = []
    for number, layer in enumerate(lm.model.model.layers):

        def count(*_: Any, number: int = number) -> None:
            calls[number] += 1

        layer.register_forward_pre_hook(count)
    lm.model.lm_head.register_forward_pre_hook(lambda *_: head_calls.append(1))
    capture_sites(lm, IDS, None, [Site(1, "hook_resid_post"), Site(0, "hook_mlp_out")])
    assert calls == [1, 1, 0, 0]
    assert not head_calls


def test_capture__does_not_see_the_padding_on_the_right() -> None:
    lm = bare("llama", {})
    site = Site(2, "hook_resid_post")
    padded = torch.cat([IDS, torch.full((2, 4), 2)], dim=1)
    alone = capture(lm, IDS, None, site)
    torch.testing.assert_close(capture(lm, padded, None, site)[:, :9], alone)
    mask = torch.arange(13).expand(2, 13) < 9
    torch.testing.assert_close(capture(lm, padded, mask.long(), site)[:, :9], alone)


def test_intervention__works_with_a_key_value_cache() -> None:
    lm = bare("llama", {})
    site = Site(1, "hook_resid_post")

    def shift(x: torch.Tensor) -> torch.Tensor:
        return x * 1.5

    with torch.no_grad(), intervention(lm, site, shift):
        whole = lm.model(IDS).logits
        first = lm.model(IDS[:, :5], use_cache=True)
        rest = lm.model(IDS[:, 5:], past_key_values=first.past_key_values).logits
    torch.testing.assert_close(rest, whole[:, 5:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["blocks.0", "layers.3", "blocks.x.hook_resid_post", ""])
def test_parse_site__refuses_what_is_no_site(name: str) -> None:
    with pytest.raises(UserError, match="is no site"):
        parse_site(name)


def test_site_that_does_not_exist__lists_those_that_do() -> None:
    model = toy_network("gpt_neox")
    for name in ("blocks.9.hook_resid_post", "blocks.0.hook_resid_mid"):
        with pytest.raises(UserError, match="no site") as caught:
            check_site(model, parse_site(name))
        assert "blocks.0 to blocks.3" in caught.value.next_step
        assert "hook_mlp_out" in caught.value.next_step


def test_unembedding__explains_the_logits(toy_model_folder: Path) -> None:
    lm: LanguageModel = load_model(str(toy_model_folder))
    W_U, scale = unembedding(lm)
    assert W_U.shape == (lm.width, lm.vocabulary_size)
    assert scale is not None
    stream = capture(lm, IDS, None, Site(lm.layers - 1, "hook_resid_post"))
    rms = stream.pow(2).mean(-1, keepdim=True).add(lm.model.config.rms_norm_eps).sqrt()
    with torch.no_grad():
        logits = lm.model(IDS).logits
    torch.testing.assert_close((stream / rms * scale) @ W_U, logits, rtol=1e-4, atol=1e-4)
