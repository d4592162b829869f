"""The norms of a model's layers without their gain and bias."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sae_desktop.language_model.load import LanguageModel

SPREAD = 64.0
"""Far above the epsilon of any norm."""


def takes_mean_off(norm: nn.Module) -> bool:
    """Return whether a norm centres what it reads, as a LayerNorm does and an RMSNorm does not.

    Told by its class, since the weights of a model may not be there.
    """
    name = type(norm).__name__
    return isinstance(norm, nn.LayerNorm) or ("LayerNorm" in name and "RMS" not in name)


def plain_norm(norm: nn.Module, device: torch.device) -> nn.Module:
    """Return a float32 copy of a norm with gain 1 and without bias, on `device`.

    What its weight must be for that is measured: Gemma's norm adds 1 to it, Llama's does not.
    """
    parameters = {
        name: nn.Parameter(torch.zeros(found.shape), requires_grad=False)
        for name, found in norm.named_parameters(recurse=False)
    }
    weight = next((found for name, found in parameters.items() if name != "bias"), None)
    if weight is not None:
        found = measured_gain(_with_parameters(norm, parameters), weight)
        weight.data.fill_(0.0 if bool(found.any()) else 1.0)
    moved = {
        name: nn.Parameter(p.to(device), requires_grad=False) for name, p in parameters.items()
    }
    return _with_parameters(norm, moved)


def _with_parameters(norm: nn.Module, parameters: dict[str, nn.Parameter]) -> nn.Module:
    """Return a norm that computes as another one, with other parameters and no hooks."""
    found = copy.copy(norm)
    for name in ("forward", "_old_forward", "_hf_hook"):  # of weights that are kept elsewhere
        found.__dict__.pop(name, None)
    for name in [name for name in found.__dict__ if "_hooks" in name]:
        found.__dict__[name] = OrderedDict()
    missing = dict.fromkeys(norm._parameters.keys() - parameters.keys())
    found.__dict__["_parameters"] = missing | parameters
    return found


def measured_gain(norm: nn.Module, like: Tensor) -> Tensor:
    """Return what a norm scales each coordinate by, (D,), float32; `like` (D,): its weight.

    Measured, since norms do not agree on what their weight means: Gemma's adds 1 to it, OLMo's
    has none. A vector of ±c has mean 0 and root mean square c under both kinds of norm.
    """
    signs = torch.ones(1, like.shape[-1], dtype=like.dtype, device=like.device)
    signs[:, 1::2] = -1
    with torch.no_grad():
        spread: Tensor = norm(SPREAD * signs).float() - norm(-SPREAD * signs).float()
    return (spread / 2 * signs.float())[0]


def gain(norm: nn.Module, width: int, lm: LanguageModel) -> Tensor:
    """Return what a norm scales each coordinate by, (D,), float32, on the device of its weight."""
    weight = next(norm.parameters(), torch.empty(0, device=lm.device))
    if weight.is_meta and hasattr(norm, "_hf_hook"):  # fetched as needed, to the model's device
        return measured_gain(norm, torch.empty(width, dtype=weight.dtype, device=lm.device))
    # A bias would else round what a 16-bit norm gives.
    whole = _with_parameters(
        norm, {name: nn.Parameter(found.detach().float()) for name, found in
               norm.named_parameters(recurse=False)},
    )  # fmt: skip
    return measured_gain(whole, torch.empty(width, dtype=torch.float32, device=weight.device))
