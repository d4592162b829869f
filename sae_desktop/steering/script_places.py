"""How a script that stands alone finds the value of a site in a model."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.norms import gain, plain_norm, takes_mean_off
from sae_desktop.language_model.sites.resolve import Site, hook_point, text_config
from sae_desktop.language_model.sites.site_names import uncentred


def told_place(lm: LanguageModel, site: Site) -> dict[str, Any]:
    """Return how a script finds the value of a site. Raises UserError where it cannot."""
    point = hook_point(lm.model, site)
    stream = None
    if uncentred(site.hook) == "hook_resid_mid" and point.side == "input":
        # It passes through no module of its own: the entered stream plus attention.
        stream = hook_point(lm.model, Site(site.layer, "hook_resid_pre")).module
        branch = hook_point(lm.model, Site(site.layer, "hook_attn_out"))
        point = replace(branch, centred=point.centred)

    def named(module: nn.Module | None) -> str:
        return next((name for name, m in lm.model.named_modules() if m is module), "")

    told = {
        "module": named(point.module), "side": point.side, "scale": point.scale,
        "centred": point.centred, "stream": named(stream), "norm": named(point.norm),
    }  # fmt: skip
    if point.norm is not None:
        told |= _norm_values(lm, site, point.norm)
    return told


def _norm_values(lm: LanguageModel, site: Site, norm: nn.Module) -> dict[str, Any]:
    """Return what a script needs to norm as a module does. Raises UserError where it cannot."""
    width = int(text_config(lm.model).hidden_size)
    epsilon = next((getattr(norm, name) for name in _EPSILONS if hasattr(norm, name)), 0.0)
    x = torch.randn(4, width, generator=torch.Generator().manual_seed(0))
    centred = x - x.mean(-1, keepdim=True) if takes_mean_off(norm) else x
    expected = centred / (centred.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()
    found = plain_norm(norm, torch.device("cpu"))(x)
    if not torch.allclose(found, expected, rtol=1e-4, atol=1e-4):
        raise UserError(
            f"The norm before “{site}” is of a kind that a script cannot reproduce.",
            next_step="Save a preset instead, or export a .safetensors file.",
        )
    return {
        "norm_centres": takes_mean_off(norm),
        "norm_epsilon": epsilon,
        "norm_gain": numbers_text(gain(norm, width, lm)),
    }


_EPSILONS = ("variance_epsilon", "eps", "epsilon")
"""What norms call the number that keeps them from dividing by 0."""


def numbers_text(values: Tensor) -> str:
    """Return numbers as text that a script reads: float32 in base64."""
    return base64.b64encode(values.float().cpu().numpy().tobytes()).decode()
