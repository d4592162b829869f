"""Sites inside the layers of encoders and of the language part, by modules named by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from test_picture_rows import documents, rows_at, toy
from torch import Tensor, nn
from toy_pictures import LAYERS, OWN_LAYERS

from sae_desktop.language_model.sites.resolve import Site


@dataclass(frozen=True)
class Hand:
    """Modules of a layer."""

    layers: str
    before_attention: str
    heads: str
    """What joins the heads."""
    attention: str
    """What is added to the stream after attention."""
    before_mlp: str
    neurons: str
    """What reads the MLP's neurons."""
    mlp: str
    """What is added to the stream after the MLP."""


CLIP = Hand(
    "encoder.layers", "layer_norm1", "self_attn.out_proj", "self_attn", "layer_norm2", "mlp.fc2",
    "mlp",
)  # fmt: skip
VIT = Hand(
    "layers", "layernorm_before", "attention.o_proj", "attention", "layernorm_after", "mlp.fc2",
    "mlp",
)  # fmt: skip
DINOV2 = replace(
    VIT, layers="encoder.layer", before_attention="norm1", attention="layer_scale1",
    before_mlp="norm2", mlp="layer_scale2",
)  # fmt: skip
QWEN2 = Hand(
    "model.language_model.layers", "input_layernorm", "self_attn.o_proj", "self_attn",
    "post_attention_layernorm", "mlp.down_proj", "mlp",
)  # fmt: skip
HANDS = {
    "clip_vision_model": CLIP,
    "siglip_vision_model": CLIP,
    "vit": VIT,
    "dinov2": DINOV2,
    "dinov2_with_registers": DINOV2,
    "qwen2_vl": QWEN2,
    "qwen2_5_vl": QWEN2,
}


@pytest.mark.parametrize("kind", OWN_LAYERS)
def test_sites__are_what_the_layers_own_modules_read_and_write(kind: str) -> None:
    hand, layer = HANDS[kind], LAYERS - 1
    lm, reader = toy(kind)
    batch = reader.batch(documents(kind))
    modules = {
        part: lm.model.get_submodule(f"{hand.layers}.{layer}.{name}")
        for part, name in vars(hand).items()
        if part != "layers"
    }
    read, written = _seen(lm.model, modules, batch.inputs)

    def at(hook: str) -> Tensor:
        return rows_at(lm, batch, Site(layer, hook))  # type: ignore[arg-type]

    expected = {
        "attn.hook_in": written["before_attention"],
        "attn.hook_z": read["heads"],
        "hook_attn_out": written["attention"],
        "hook_resid_mid": read["before_mlp"],
        "mlp.hook_in": written["before_mlp"],
        "mlp.hook_post": read["neurons"],
        "hook_mlp_out": written["mlp"],
    }
    for hook, own in expected.items():
        torch.testing.assert_close(at(hook), own.reshape(at(hook).shape), msg=hook)
    for hook, part in (
        ("ln1.hook_normalized", "before_attention"), ("ln2.hook_normalized", "before_mlp"),
    ):  # fmt: skip
        norm = modules[part]
        gained = at(hook) * norm.weight + getattr(norm, "bias", torch.zeros(()))
        torch.testing.assert_close(gained, written[part].reshape(gained.shape), msg=hook)
    torch.testing.assert_close(at("hook_resid_pre") + at("hook_attn_out"), at("hook_resid_mid"))
    torch.testing.assert_close(at("hook_resid_mid") + at("hook_mlp_out"), at("hook_resid_post"))


def _seen(
    model: nn.Module, modules: dict[str, nn.Module], inputs: object
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what modules read and what they write in a pass, by part."""
    read: dict[str, Tensor] = {}
    written: dict[str, Tensor] = {}

    def keep(part: str, given: tuple[Tensor, ...], told: dict[str, Tensor], out: object) -> None:
        read[part] = (given or tuple(told.values()))[0]
        written[part] = out[0] if isinstance(out, tuple) else out  # type: ignore[assignment]

    handles = [
        module.register_forward_hook(
            lambda _, given, told, out, part=part: keep(part, given, told, out), with_kwargs=True
        )
        for part, module in modules.items()
    ]
    try:
        with torch.no_grad():
            model(**inputs)  # type: ignore[arg-type]
    finally:
        for handle in handles:
            handle.remove()
    return read, written
