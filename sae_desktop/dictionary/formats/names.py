"""Names of models and sites as other libraries write them, turned into this project's."""

from __future__ import annotations

import re

from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.site_names import Site, centred, parse_site

_HUB_NAMES = {
    "gpt2-small": "openai-community/gpt2",
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "gemma-2b": "google/gemma-2b",
    "gemma-2-2b": "google/gemma-2-2b",
    "gemma-2-2b-it": "google/gemma-2-2b-it",
    "gemma-2-9b": "google/gemma-2-9b",
    "gemma-2-9b-it": "google/gemma-2-9b-it",
    "gemma-2-27b": "google/gemma-2-27b",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B",
    "mistral-7b": "mistralai/Mistral-7B-v0.1",
}
"""Short names of the field, by their names on the hub."""
_FAMILIES = (("pythia-", "EleutherAI/"), ("gemma-3-", "google/"), ("qwen", "Qwen/"))
_HOOKS = {
    "hook_resid_pre": "hook_resid_pre",
    "hook_resid_mid": "hook_resid_mid",
    "hook_resid_post": "hook_resid_post",
    "hook_mlp_out": "hook_mlp_out",
    "hook_attn_out": "hook_attn_out",
    "attn.hook_z": "attn.hook_z",
    "mlp.hook_in": "mlp.hook_in",
    "attn.hook_in": "attn.hook_in",
    "ln1.hook_normalized": "ln1.hook_normalized",
    "ln2.hook_normalized": "ln2.hook_normalized",
    "mlp.hook_post": "mlp.hook_post",
    "mlp.hook_out": "hook_mlp_out",
}
"""Names of hooks elsewhere."""
_MODULES = (
    (r"(?:mlp|feed_forward|ffn)(?:_out(?:put)?)?", "hook_mlp_out"),
    (r"(?:self_attn|attn|attention)(?:_out(?:put)?)?", "hook_attn_out"),
    (r"(?:resid_post|output|residual|resid)?", "hook_resid_post"),
    (r"resid_pre", "hook_resid_pre"),
    (r"resid_mid", "hook_resid_mid"),
)
_INPUTS = {
    "hook_mlp_out": "mlp.hook_in",
    "hook_attn_out": "attn.hook_in",
    "hook_resid_post": "hook_resid_pre",
}
"""Site that a module’s output is → the one that is its input."""
_ENDS = {
    "self_attn.o_proj.input": "attn.hook_z",
    "pre_feedforward_layernorm.output": "mlp.hook_in",
    "post_feedforward_layernorm.output": "hook_mlp_out",
    "mlp.input": "mlp.hook_in",
    "self_attn.input": "attn.hook_in",
    "mlp.down_proj.input": "mlp.hook_post",
    "input": "hook_resid_pre",
}
"""Sides of modules, as Gemma Scope 2 names them; any other “….output” is the module’s."""
_BLOCK = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d+)(?:\.(.+))?$")


def site_name(name: str) -> str:
    """Return the site a library's name of a place means; "" where it cannot be told.

    Hook names as `blocks.8.hook_resid_pre`, modules as `model.layers.3.mlp` (whose output it
    is), `model.layers.3.mlp.input`, `resid_post_layer_8`.
    """
    name = name.strip()
    if match := re.search(r"(resid_pre|resid_mid|resid_post|mlp_out|attn_out)_layer_(\d+)", name):
        return _checked(int(match[2]), f"hook_{match[1]}")
    match = _BLOCK.search(name)
    if match is None:
        return ""
    layer, rest = int(match[1]), match[2] or ""
    if rest in _HOOKS:
        return _checked(layer, _HOOKS[rest])
    if rest in _ENDS:
        return _checked(layer, _ENDS[rest])
    rest = rest.removesuffix(".output")
    for pattern, hook in _MODULES:
        if re.fullmatch(pattern, rest):
            return _checked(layer, hook)
    return ""


def site_of_input(module: str) -> str:
    """Return the site that a module reads, such as `layers.3.mlp`; "" where it cannot be told."""
    site = site_name(module)
    layer, _, hook = site.removeprefix("blocks.").partition(".")
    return f"blocks.{layer}.{_INPUTS[hook]}" if hook in _INPUTS else ""


def centred_site(site: str) -> str:
    """Return a site less its mean, for those that the stream's mean is part of; others as they are.

    So they are in a model whose writing weights were centred, if its norms take the mean off.
    """
    if not site:
        return site
    parsed = parse_site(site)
    hook = centred(parsed.hook)
    return site if hook is None else str(Site(parsed.layer, hook))


def site_at(layer: int | None, hook: str) -> str:
    """Return the site of a hook's name without a layer; "" where it cannot be told."""
    return "" if layer is None or hook not in _HOOKS else _checked(layer, _HOOKS[hook])


def model_name(name: str) -> str:
    """Return the hub's name of a model a library names in short."""
    name = name.strip()
    known = _HUB_NAMES.get(name.lower())
    if known or "/" in name:
        return known or name
    family = next((owner for start, owner in _FAMILIES if name.lower().startswith(start)), "")
    return family + name


def _checked(layer: int, hook: str) -> str:
    try:
        return str(parse_site(f"blocks.{layer}.{hook}"))
    except UserError:
        return ""
