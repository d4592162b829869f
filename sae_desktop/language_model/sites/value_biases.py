"""What the biases of values add to the outputs of attention heads.

The weights of attention sum to one, so that a head's output is that of the values without their
biases, plus these. TransformerLens moves them into the bias of the output projection
(`fold_value_biases`): what it gives at `attn.hook_z` lacks them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.resolve import Site, hook_point

_TOKENS = 4
_TOLERANCE = 1e-5


def value_biases(lm: LanguageModel, layer: int) -> Tensor:
    """Return the biases (D,) float32 of `attn.hook_z` of a layer, each head's its own.

    They are what the heads give where attention reads nothing but zeros, which holds for every
    architecture and however few heads of values there are. Raises UserError for a layer
    without such a site, and where the weights of attention do not sum to one.
    """
    point = hook_point(lm.model, Site(layer, "attn.hook_in"))

    def read_nothing(module: nn.Module, args: Any, kwargs: Any) -> Any:
        if args:
            return (torch.zeros_like(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": torch.zeros_like(kwargs["hidden_states"])}

    ids = torch.zeros(1, _TOKENS, dtype=torch.long)
    with lm.lock:
        hook = point.module.register_forward_pre_hook(read_nothing, with_kwargs=True)
        try:
            found_SD = capture(lm, ids, None, Site(layer, "attn.hook_z"))[0].cpu()
        finally:
            hook.remove()
    scale = float(found_SD.abs().max())
    if float((found_SD - found_SD[:1]).abs().max()) > _TOLERANCE * max(scale, 1.0):
        raise UserError(
            f"The attention weights of “{lm.name}” do not sum to one, so its value biases are not "
            "a constant part of the output of its heads.",
            next_step="Import a dictionary that was trained without fold_value_biases.",
        )
    return found_SD[-1]
