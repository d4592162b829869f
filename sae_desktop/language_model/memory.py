"""Memory: what a model's weights need, and what is available."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from sae_desktop.devices import abilities
from sae_desktop.errors import UserError
from sae_desktop.language_model.config import LOADING_ROOM
from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.memory import free_memory, limit_text

_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
# bitsandbytes keeps a float32 scale for every row in 8 bit, for every 64 weights in 4 bit.
_QUANTISED = {"8bit": 1.0, "4bit": 0.5 + 4 / 64}
_SCALE = 4


def free_device_memory(device: torch.device, *, split: bool = False) -> int:
    """Return the bytes free on a device; with `split`, on all the machine's devices together."""
    if split:
        own_of_each = [abilities.free_of_its_own(card) for card in abilities.cards()]
        return free_memory() + sum(own or 0 for own in own_of_each)
    own = abilities.free_of_its_own(device)
    if own is not None:
        return own
    lent = abilities.lent(device)
    return free_memory() if lent is None else max(0, min(lent, free_memory()))


def weight_bytes(model: nn.Module, dtype: str, rest: str = "float32") -> int:
    """Return the bytes of a model's weights in a precision; they need not be in memory.

    Quantised, only the matrices of linear layers are; everything else is in `rest`.
    """
    if dtype not in _QUANTISED:
        return round(sum(p.numel() for p in model.parameters()) * _BYTES[dtype])
    total, quantised = 0.0, {id(layer.weight) for layer in quantised_layers(model)}
    for parameter in model.parameters():
        if id(parameter) not in quantised:
            total += parameter.numel() * _BYTES[rest]
            continue
        total += parameter.numel() * _QUANTISED[dtype]
        if dtype == "8bit":
            total += parameter.shape[0] * _SCALE
    return round(total)


def quantised_layers(model: Any) -> Iterator[Any]:
    """Yield the layers that bitsandbytes quantises: linear ones but for what makes the logits."""
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    embeddings = getattr(model.get_input_embeddings(), "weight", None)
    for module in model.modules():
        if (
            isinstance(module, nn.Linear | Conv1D)
            and module is not head
            and module.weight is not embeddings
        ):
            yield module


def check_fits(name: str, needed: int, free: int, dtype: str, place: str) -> None:
    """Return if weights of `needed` bytes can be read where `free` are. Raises UserError."""
    if needed + LOADING_ROOM <= free:
        return
    smaller = {"float32": "bfloat16 or 8bit", "bfloat16": "8bit", "float16": "8bit", "8bit": "4bit"}
    ways = ["close other programs"]
    if dtype in smaller:
        ways.append(f"choose a smaller precision ({smaller[dtype]})")
    ways.append("choose another device, “split” across all of them, or a smaller model")
    raise UserError(
        f"“{name}” does not fit: its weights take {format_bytes(needed)} as {dtype}, and reading "
        f"them {format_bytes(LOADING_ROOM)} more; {place} has {format_bytes(free)} free."
        f"{limit_text()}",
        kept="Nothing was loaded.",
        next_step=f"{', '.join(ways[:-1]).capitalize()}, or {ways[-1]}.",
    )
