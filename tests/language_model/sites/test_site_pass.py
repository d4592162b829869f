"""The forward pass that reads sites: where it ends, and what padding, dtypes and devices do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from site_families import (
    DECODERS,
    ENCODERS,
    IDS,
    LAYERS,
    VARIANTS,
    Variant,
    hidden_states,
    language_model,
    part,
    variant,
)
from torch import Tensor, nn
from toy_models import toy_network

from sae_desktop.language_model.sites.capture import capture, capture_sites, visit_sites
from sae_desktop.language_model.sites.resolve import Site, list_sites, parse_site, site_width
from sae_desktop.language_model.sites.site_names import HOOKS

LAST = Site(LAYERS - 1, "hook_resid_post")


class _Calls:
    """Counts how often modules run to their end, by name."""

    def __init__(self, modules: dict[str, nn.Module | None]) -> None:
        self.begun: dict[str, int] = dict.fromkeys(modules, 0)
        self.ended: dict[str, int] = dict.fromkeys(modules, 0)
        self._handles: list[Any] = []
        for name, module in modules.items():
            if module is not None:
                self._handles += [
                    module.register_forward_pre_hook(self._counter(self.begun, name)),
                    module.register_forward_hook(self._counter(self.ended, name)),
                ]

    @staticmethod
    def _counter(counts: dict[str, int], name: str) -> Any:
        def count(*_: Any) -> None:
            counts[name] += 1

        return count

    def __enter__(self) -> _Calls:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()


def _layers(model: Variant) -> nn.ModuleList:
    found = part(model.network, model.hand.layers)
    assert isinstance(found, nn.ModuleList)
    return found


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_capture__runs_no_layer_after_the_last_site_and_no_head(model: Variant) -> None:
    network = model.network
    modules: dict[str, nn.Module | None] = {
        str(number): layer for number, layer in enumerate(_layers(model))
    }
    if not model.encoder:
        modules["head"] = network.get_output_embeddings()
    with _Calls(modules) as calls:
        found = capture_sites(
            language_model(network),
            IDS,
            None,
            [Site(1, "hook_resid_post"), Site(0, "hook_mlp_out")],
        )
        assert len(found) == 2
        assert [calls.begun[str(n)] for n in range(LAYERS)] == [1, 1, 0, 0]
        assert calls.begun.get("head", 0) == 0
        network(IDS)
        assert [calls.begun[str(n)] for n in range(LAYERS)] == [2, 2, 1, 1]
        assert calls.begun.get("head", 1) == 1


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_capture__runs_nothing_in_the_last_layer_after_the_site(model: Variant) -> None:
    hand, layer = model.hand, _layers(model)[1]
    out_proj, mlp, down = (part(layer, name) for name in (hand.out_proj, hand.mlp, hand.down))
    # What has begun, and what has ended, once a site's value is known.
    expected = {
        "hook_resid_pre": ([], []),
        "attn.hook_z": (["out_proj"], []),
        "hook_attn_out": (["out_proj"], ["out_proj"]),
        "hook_resid_mid": (["out_proj"], ["out_proj"]),
        "mlp.hook_in": (["out_proj", "mlp"], ["out_proj"]),
        "mlp.hook_post": (["out_proj", "mlp", "down"], ["out_proj"]),
        "hook_mlp_out": (["out_proj", "mlp", "down"], ["out_proj", "mlp", "down"]),
    }
    modules = {"out_proj": out_proj, "mlp": mlp, "down": down}
    if hand.mlp_norm == "-":  # what the MLP reads is the stream itself
        expected["hook_resid_mid"] = expected["mlp.hook_in"]
    if not hand.mlp:  # its MLP is the modules before `down` too
        modules["mlp"] = part(layer, "fc1") or part(layer, "intermediate.dense")
        for hook in ("mlp.hook_post", "hook_mlp_out"):
            expected[hook] = (expected[hook][0], ["out_proj", "mlp"])
    there = {name for name, module in modules.items() if module is not None}
    for hook, (begun, ended) in expected.items():
        name = f"blocks.1.{hook}"
        if name not in list_sites(model.network):
            continue
        with _Calls(modules) as calls:
            capture(language_model(model.network), IDS, None, parse_site(name))
        ran = {each for each, count in calls.ended.items() if count}
        assert {each for each, count in calls.begun.items() if count} == there & set(begun), hook
        if hook != "hook_mlp_out":  # where the pass ends inside the very module, it did not end
            assert ran == there & set(ended), hook


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_visits__come_in_the_order_of_the_forward_pass(model: Variant) -> None:
    sites = [parse_site(name) for name in list_sites(model.network)]
    seen: list[Site] = []
    visit_sites(
        language_model(model.network),
        IDS,
        None,
        sites[::-1],
        lambda site, value: seen.append(site),
    )
    assert sorted(seen, key=str) == sorted(sites, key=str)
    assert [site.layer for site in seen] == sorted(site.layer for site in sites)
    if model.hand.mlp_norm != "-":
        for number in range(LAYERS):
            inside = [site.hook for site in seen if site.layer == number]
            if not model.hand.mlp_norm:  # one norm, or one beside the other, before both
                inside.remove("ln2.hook_normalized")
            assert inside == [hook for hook in HOOKS if hook in inside]


def test_capture_of_nothing__runs_nothing() -> None:
    network = variant("llama").network
    with _Calls({"model": network.model}) as calls:
        assert capture_sites(language_model(network), IDS, None, []) == {}
        assert calls.begun == {"model": 0}


def test_capture__leaves_no_hook_behind_even_when_a_visit_fails() -> None:
    network = variant("llama").network
    before = {name: len(module._forward_hooks) for name, module in network.named_modules()}

    def fail(site: Site, value: Tensor) -> None:
        raise ArithmeticError("of the visit")

    with pytest.raises(ArithmeticError, match="of the visit"):
        visit_sites(language_model(network), IDS, None, [Site(0, "hook_mlp_out"), LAST], fail)
    assert before == {name: len(module._forward_hooks) for name, module in network.named_modules()}
    assert not any(module._forward_pre_hooks for module in network.modules())


def _padded(lengths: list[int], pad: int) -> tuple[Tensor, Tensor]:
    """Rows of several lengths with what stands at their padding, and their mask."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(3, 320, (len(lengths), max(lengths)), generator=generator)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.where(mask, ids, pad), mask.long()


def _difference(value: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((value - other).abs().max() / other.abs().max())


def _sees_ahead(model: Variant) -> bool:
    return model.encoder or ("use_bidirectional_attention", True) in model.changes


@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_padding_with_its_mask__changes_no_row(model: Variant, pad: int) -> None:
    lm = language_model(model.network)
    lengths = [9, 4, 13]
    ids, mask = _padded(lengths, pad)
    together = capture(lm, ids, mask, LAST)
    for row, length in enumerate(lengths):
        alone = capture(lm, ids[row : row + 1, :length], None, LAST)[0]
        assert _difference(together[row, :length], alone) < (1e-5 if model.encoder else 5e-5)


@pytest.mark.parametrize("model", [each for each in VARIANTS if not _sees_ahead(each)], ids=str)
def test_padding__needs_no_mask_in_a_causal_model(model: Variant) -> None:
    lm = language_model(model.network)
    lengths = [9, 4, 13]
    ids, _ = _padded(lengths, pad=2)
    together = capture(lm, ids, None, LAST)
    for row, length in enumerate(lengths):
        alone = capture(lm, ids[row : row + 1, :length], None, LAST)[0]
        assert _difference(together[row, :length], alone) < (1e-5 if model.encoder else 5e-5)


@pytest.mark.parametrize("model", ENCODERS, ids=str)
def test_padding__is_seen_by_an_encoder_without_its_mask(model: Variant) -> None:
    lm = language_model(model.network)
    ids, mask = _padded([9, 4], pad=0)
    with_mask, without = (capture(lm, ids, given, LAST)[1, :4] for given in (mask, None))
    assert _difference(without, with_mask) > 1e-2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_values__come_in_the_models_dtype_and_are_kept_exactly(
    model: Variant, dtype: torch.dtype
) -> None:
    network = toy_network(model.model_type, **dict(model.changes)).to(dtype)
    lm = language_model(network)
    names = [name for name in list_sites(network) if name.startswith("blocks.1.")]
    sites = [parse_site(name) for name in names]
    seen: dict[Site, Tensor] = {}
    visit_sites(lm, IDS, None, sites, lambda site, value: seen.update({site: value.clone()}))
    kept = capture_sites(lm, IDS, None, sites)
    for site in sites:
        derived = "normalized" in site.hook or "centred" in site.hook
        assert seen[site].dtype == (torch.float32 if derived else dtype)
        assert kept[site].dtype == torch.float32
        assert torch.equal(kept[site], seen[site].float())
    own = hidden_states(network)
    assert torch.equal(seen[Site(1, "hook_resid_pre")], own[1])
    assert torch.equal(seen[Site(1, "hook_resid_post")], own[2])


@pytest.mark.parametrize("model_type", ["llama", "gemma2", "opt", "falcon", "bloom", "bert"])
def test_layers_on_several_devices__give_values_where_they_are(model_type: str) -> None:
    # A device that holds no numbers stands in for a second one.
    network = toy_network(model_type)
    layers = part(network, variant(model_type).hand.layers)
    assert isinstance(layers, nn.ModuleList)
    for layer in layers[2:]:
        layer.to("meta")
        add_hook_to_module(layer, AlignDevicesHook(execution_device="meta"))
    lm = language_model(network)
    sites = [parse_site(name) for name in list_sites(network)]
    whole = language_model(variant(model_type).network)
    for site in sites[: sites.index(Site(3, "hook_resid_post"))]:
        value = capture(lm, IDS, None, site)
        assert value.shape == (*IDS.shape, site_width(network, site))
        # A hook of the device's own moves a layer's input after it was read.
        begins = str(site).startswith("blocks.2.hook_resid_pre")
        assert value.device.type == ("meta" if site.layer >= 2 and not begins else "cpu")
        if value.device.type == "cpu":
            assert torch.equal(value, capture(whole, IDS, None, site))


def test_every_decoder__is_held_to_both_ways_of_padding() -> None:
    assert [str(each) for each in DECODERS if _sees_ahead(each)] == [
        "gemma3_text-use_bidirectional_attention=True"
    ]
