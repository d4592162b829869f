"""Sites: the places in a model where activations are read and replaced, by the field's names.

A site `blocks.{layer}.{hook}` is found through the modules of the layer: which of them carry its
branches stands in a table of architectures (`layer_parts`). Any other model has the two sites
every layer has, its input and its output.

Where a layer norms the residual stream itself, after each branch was added to it (BERT, the
350M OPT), `hook_attn_out` and `hook_mlp_out` are still what is added; `hook_resid_mid` is the
stream after the first norm, which is what the MLP reads, and `hook_resid_post` after the second.
Norms in the stream are none before a branch: such a model has no `ln2.hook_normalized`.
There, the stream and a branch do not add up to the next: the norm is between. Gemma 4 scales its
stream at the end of a layer, and Bloom with one of its settings adds to the normed stream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from sae_desktop.errors import UserError
from sae_desktop.language_model.pictures.families import encoder_of
from sae_desktop.language_model.sites.layer_parts import (
    UNREADABLE,
    LayerParts,
    find_part,
    layer_parts,
)
from sae_desktop.language_model.sites.norms import takes_mean_off
from sae_desktop.language_model.sites.site_names import (
    HOOKS,
    Hook,
    Site,
    is_centred,
    parse_site,
    uncentred,
)

__all__ = [
    "HookPoint",
    "Site",
    "check_site",
    "decoder_layers",
    "hook_point",
    "list_sites",
    "parse_site",
    "site_shape",
    "site_width",
    "text_config",
]


@dataclass(frozen=True)
class HookPoint:
    """Where a site's value passes: a module's input or its output, times `scale`."""

    module: nn.Module
    side: Literal["input", "output"]
    scale: float = 1.0
    norm: nn.Module | None = None
    """Where there is one, the value is what this makes of its input before its gain; `module`
    reads it with the gain."""
    centred: bool = False
    """Whether the mean over the coordinates is taken off."""


_OTHER_SENSES = ("vision", "visual", "audio")
_NAMES_OF_LAYERS = ("layers", "h", "blocks", "block", "layer")


def text_config(model: Any) -> Any:
    """Return the configuration of the language part of `model`."""
    return model.config.get_text_config()


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """Return the layers of a decoder, or of an encoder, in their order.

    Raises UserError for a model built in another way.
    """
    config = text_config(model)
    if config.model_type in UNREADABLE:
        raise UserError(
            f"A “{config.model_type}” model {UNREADABLE[config.model_type]}, so its layers have "
            "no sites.",
            next_step="Choose a model such as Llama, Qwen, Gemma, GPT-2 or BERT.",
        )
    count = getattr(config, "num_hidden_layers", 0)
    others = () if encoder_of(model.config) is not None else _OTHER_SENSES
    for name, module in model.named_modules():
        parts = name.split(".")
        if (
            isinstance(module, nn.ModuleList)
            and parts[-1] in _NAMES_OF_LAYERS
            and len(module) == count
            and not any(sense in name for sense in others)
        ):
            return module
    raise UserError(
        f"The layers of a “{config.model_type}” model were not found.",
        next_step="Choose a decoder-only language model, such as Llama, Qwen, Gemma or GPT-2, or "
        "an encoder such as BERT, CLIP or DINOv2.",
    )


def list_sites(model: nn.Module) -> list[str]:
    """Return the names of the sites `model` has, in the order of the forward pass."""
    layers = decoder_layers(model)
    parts = layer_parts(text_config(model), layers[0])
    return [
        str(Site(number, hook))
        for number, layer in enumerate(layers)
        for hook in HOOKS
        if _find(model, layer, parts, hook) is not None
    ]


def check_site(model: nn.Module, site: Site) -> Site:
    """Return `site` if `model` has it. Raises UserError that lists what exists, and says why."""
    hook_point(model, site)
    return site


def hook_point(model: nn.Module, site: Site) -> HookPoint:
    """Return where the value of `site` can be read. Raises UserError if there is no such site."""
    layers = decoder_layers(model)
    parts = layer_parts(text_config(model), layers[0])
    if site.layer < len(layers):
        point = _find(model, layers[site.layer], parts, site.hook)
        if point is not None:
            return point
    raise UserError(
        f"The model has no site “{site}”{_why(model, layers, parts, site)}.",
        next_step=_what_exists(model, layers, parts, site),
    )


def site_width(model: nn.Module, site: Site) -> int:
    """Return the numbers at `site` for each token. Needs no weights: a meta model will do.

    Raises UserError if there is no such site.
    """
    point = hook_point(model, site)
    if site.hook in ("attn.hook_z", "mlp.hook_post"):
        return _inputs_of(point.module)
    return int(text_config(model).hidden_size)


def site_shape(model: nn.Module, site: Site) -> str:
    """Return the shape of `site` for each token in words.

    “9 heads × 64”, “1,536 neurons”, or the width alone: “576”. Raises UserError if there is no
    such site.
    """
    width = site_width(model, site)
    if site.hook == "mlp.hook_post":
        return f"{width:,} neurons"
    if site.hook == "attn.hook_z":
        heads = int(text_config(model).num_attention_heads)
        if width % heads == 0:
            return f"{heads} heads × {width // heads}"
    return f"{width:,}"


def _find(
    model: nn.Module, layer: nn.Module, parts: LayerParts | None, hook: Hook
) -> HookPoint | None:
    if is_centred(hook):
        if parts is None or not _norms_centre(layer, parts):
            return None
        point = _find(model, layer, parts, uncentred(hook))
        return None if point is None else replace(point, centred=True)
    if hook == "hook_resid_pre":
        return HookPoint(layer, "input")
    if hook == "hook_resid_post":
        return HookPoint(layer, "output")
    if parts is None:
        return None
    names, side = _place(parts, hook)
    module = find_part(layer, names)
    if module is None:
        return None
    if hook in _NORMED:
        norm = _norm_before(layer, parts, hook)
        return None if norm is None else HookPoint(module, side, norm=norm)
    scaled = parts.scale and hook in ("hook_attn_out", "hook_mlp_out")
    scale = float(getattr(text_config(model), parts.scale)) if scaled else 1.0
    return HookPoint(module, side, scale)


_NORMED: tuple[Hook, ...] = ("ln1.hook_normalized", "ln2.hook_normalized")


def _norm_before(layer: nn.Module, parts: LayerParts, hook: Hook) -> nn.Module | None:
    names = parts.attention_norm if hook == "ln1.hook_normalized" else parts.before_mlp
    norm = find_part(layer, names)
    return None if isinstance(norm, nn.Identity) else norm


def _norms_centre(layer: nn.Module, parts: LayerParts) -> bool:
    """Return whether the stream's mean makes no difference to what the layer reads of it."""
    norms = [_norm_before(layer, parts, hook) for hook in _NORMED]
    return any(norms) and all(norm is None or takes_mean_off(norm) for norm in norms)


def _place(parts: LayerParts, hook: Hook) -> tuple[str, Literal["input", "output"]]:
    match hook:
        case "ln1.hook_normalized" | "attn.hook_in":
            return parts.attention_in, "input"
        case "attn.hook_z":
            return parts.heads, "input"
        case "hook_attn_out":
            return parts.attention, "output"
        case "hook_resid_mid":
            return parts.middle, parts.middle_side
        case "ln2.hook_normalized" | "mlp.hook_in":
            return parts.mlp_in, "input"
        case "mlp.hook_post":
            return parts.neurons, "input"
        case _:
            return parts.mlp, "output"


def _inputs_of(projection: Any) -> int:
    # GPT-2's Conv1D is a linear layer by another name; quantised ones keep `in_features`.
    found = getattr(projection, "in_features", None) or getattr(projection, "nx", None)
    return int(found if found is not None else projection.weight.shape[-1])


def _why(model: nn.Module, layers: nn.ModuleList, parts: LayerParts | None, site: Site) -> str:
    """Return ": a reason" where one is known."""
    if site.layer >= len(layers):
        return ""
    if parts is None:
        kind = text_config(model).model_type
        return f": for a “{kind}” model only the inputs and outputs of layers are known"
    if is_centred(site.hook) and _find(model, layers[site.layer], parts, uncentred(site.hook)):
        return (
            ": its norms do not subtract the stream's mean, so none of its weights are centred; "
            f"“blocks.{site.layer}.{uncentred(site.hook)}” is what was read"
        )
    if parts.why:
        return f": {parts.why}"
    if site.hook in _NORMED:
        branch = "attention" if site.hook == "ln1.hook_normalized" else "MLP"
        return f": there is no norm before its {branch}"
    if site.hook == "hook_resid_mid":
        return ": its attention and MLP run side by side, with no stream between them"
    if site.hook == "mlp.hook_post" and any(
        name.rpartition(".")[2] == "experts" for name, _ in layers[site.layer].named_modules()
    ):
        return ": its MLP is a mixture of experts, with no single down projection"
    if site.hook == "attn.hook_z":
        return ": that layer has no attention heads"
    return ""


def _what_exists(
    model: nn.Module, layers: nn.ModuleList, parts: LayerParts | None, site: Site
) -> str:
    def hooks(number: int) -> list[Hook]:
        return [hook for hook in HOOKS if _find(model, layers[number], parts, hook) is not None]

    found = [hooks(number) for number in range(len(layers))]
    there = f"It has blocks.0 to blocks.{len(layers) - 1}"
    if all(each == found[0] for each in found):
        return f"{there}, each with {', '.join(found[0])}."
    if site.layer >= len(layers):
        return f"{there}."
    return f"{there}; blocks.{site.layer} has {', '.join(found[site.layer])}."
