"""The one place that turns a device's name into a device."""

from __future__ import annotations

import torch

from sae_desktop.devices.abilities import available_devices, best_device, is_there
from sae_desktop.errors import UserError

SPLIT = "split"
"""A model's layers over all devices there are, and over the memory where those are full."""


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; "auto" takes CUDA, else MPS, else the CPU.

    "split" is a way to place a model; whatever is whole is then where "auto" puts it.
    Raises UserError for a name that is none, or a device this machine lacks.
    """
    if name in ("", "auto", SPLIT):
        return best_device()
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(
            f"“{name}” is not a device.", next_step=f"Available: {', '.join(available_devices())}."
        ) from error
    if not is_there(device):
        raise UserError(
            f"This machine has no device “{name}”.",
            next_step=f"Available: {', '.join(available_devices())}; “auto” chooses the best.",
        )
    return device
