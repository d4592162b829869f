"""Sites: the places in a model where activations are read and replaced, by the field's names.

A site `blocks.{layer}.{hook}` is found through the modules of the layer: where a hook is the
input or the output of one of them, and how the layer adds its branches to the residual stream,
stands in a small table of architectures. Any other decoder has the two sites every layer has,
its input and its output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from sae_desktop.errors import UserError
from sae_desktop.language_model.site_names import HOOKS, Hook, Site, parse_site

__all__ = [
    "HookPoint",
    "Site",
    "check_site",
    "decoder_layers",
    "hook_point",
    "list_sites",
    "parse_site",
    "text_config",
]


@dataclass(frozen=True)
class HookPoint:
    """Where a site's value passes: a module's input or its output."""

    module: nn.Module
    side: Literal["input", "output"]


@dataclass(frozen=True)
class _Branches:
    """Names, inside a layer, of what carries its branches.

    `attention` and `mlp` are modules whose outputs are added to the residual stream as they are;
    `middle` is a module whose input is the stream between them, None where they run in parallel;
    `mlp_in` one whose input is what the MLP reads.
    """

    attention: str
    mlp: str
    middle: str | None
    mlp_in: str = "mlp"


_PRE_NORM = _Branches("self_attn", "mlp", "post_attention_layernorm")
# Gemma 2 and 3 norm each branch before and after; OLMo 2 after only.
_SANDWICH = _Branches(
    "post_attention_layernorm", "post_feedforward_layernorm", "pre_feedforward_layernorm"
)
_POST_NORM = _Branches("post_attention_layernorm", "post_feedforward_layernorm", "mlp")
_BRANCHES = {
    "llama": _PRE_NORM,
    "mistral": _PRE_NORM,
    "qwen2": _PRE_NORM,
    "qwen3": _PRE_NORM,
    "smollm3": _PRE_NORM,
    "gemma": _PRE_NORM,
    "olmo": _PRE_NORM,
    "phi3": _PRE_NORM,
    "gemma2": _SANDWICH,
    "gemma3": _SANDWICH,
    "gemma3_text": _SANDWICH,
    "olmo2": _POST_NORM,
    "gpt2": _Branches("attn", "mlp", "ln_2"),
    "gpt_neox": _Branches("attention", "mlp", "post_attention_layernorm"),
    "opt": _Branches("self_attn", "fc2", "final_layer_norm", mlp_in="fc1"),
    "falcon": _Branches("self_attention", "mlp", "post_attention_layernorm"),
    "bloom": _Branches("self_attention.dense", "mlp.dense_4h_to_h", "post_attention_layernorm"),
}
# In these, with the setting named, the branches run in parallel: there is no stream between.
_PARALLEL_FLAGS = {"gpt_neox": "use_parallel_residual", "falcon": "parallel_attn"}
_NAMES_OF_LAYERS = ("layers", "h", "blocks", "block")


def text_config(model: Any) -> Any:
    """Return the configuration of the language part of `model`."""
    return model.config.get_text_config()


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """Return the decoder's layers. Raises UserError for a model built in another way."""
    count = getattr(text_config(model), "num_hidden_layers", 0)
    for name, module in model.named_modules():
        parts = name.split(".")
        if (
            isinstance(module, nn.ModuleList)
            and parts[-1] in _NAMES_OF_LAYERS
            and len(module) == count
            and not any("vision" in part or "audio" in part for part in parts)
        ):
            return module
    raise UserError(
        f"The layers of a “{text_config(model).model_type}” model were not found.",
        next_step="Choose a decoder-only language model, such as a Llama, Qwen, Gemma or GPT-2.",
    )


def list_sites(model: nn.Module) -> list[str]:
    """Return the names of the sites `model` has, in the order of the forward pass."""
    hooks = _hooks_of(model)
    return [str(Site(layer, hook)) for layer in range(len(decoder_layers(model))) for hook in hooks]


def check_site(model: nn.Module, site: Site) -> Site:
    """Return `site` if `model` has it. Raises UserError that lists what exists."""
    layers, hooks = len(decoder_layers(model)), _hooks_of(model)
    if site.layer >= layers or site.hook not in hooks:
        raise UserError(
            f"The model has no site “{site}”.",
            next_step=f"There are blocks.0 to blocks.{layers - 1}, each with {', '.join(hooks)}.",
        )
    return site


def hook_point(model: nn.Module, site: Site) -> HookPoint:
    """Return where the value of `site` can be read. Raises UserError if there is no such site."""
    check_site(model, site)
    layer = decoder_layers(model)[site.layer]
    if site.hook == "hook_resid_pre":
        return HookPoint(layer, "input")
    if site.hook == "hook_resid_post":
        return HookPoint(layer, "output")
    branches = _BRANCHES[text_config(model).model_type]
    if site.hook == "hook_attn_out":
        return HookPoint(layer.get_submodule(branches.attention), "output")
    if site.hook == "hook_mlp_out":
        return HookPoint(layer.get_submodule(branches.mlp), "output")
    if site.hook == "mlp.hook_in":
        return HookPoint(layer.get_submodule(branches.mlp_in), "input")
    assert branches.middle is not None
    return HookPoint(layer.get_submodule(branches.middle), "input")


def _hooks_of(model: nn.Module) -> list[Hook]:
    return [hook for hook in HOOKS if hook in set(_existing(model))]


def _existing(model: nn.Module) -> Iterator[Hook]:
    yield "hook_resid_pre"
    yield "hook_resid_post"
    config = text_config(model)
    branches = _BRANCHES.get(config.model_type)
    if branches is None:
        return
    yield "hook_attn_out"
    yield "mlp.hook_in"
    yield "hook_mlp_out"
    if not _normed_stream(config) and not _parallel(config):
        yield "hook_resid_mid"


def _parallel(config: Any) -> bool:
    flag = _PARALLEL_FLAGS.get(config.model_type)
    new_falcon = config.model_type == "falcon" and config.new_decoder_architecture
    return new_falcon or (flag is not None and bool(getattr(config, flag)))


def _normed_stream(config: Any) -> bool:
    """Whether the layer norms the stream itself, so that its middle is no sum of what came in."""
    if config.model_type == "opt":
        return not config.do_layer_norm_before
    if config.model_type == "bloom":
        return bool(config.apply_residual_connection_post_layernorm)
    return False
