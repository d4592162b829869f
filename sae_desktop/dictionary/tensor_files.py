"""Tensors in a safetensors file, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing


def write_tensors(
    path: Path, tensors: dict[str, Tensor], dtype: torch.dtype = torch.float32
) -> None:
    """Write tensors, as float32 unless told otherwise. Raises UserError when the disk is full."""
    cpu = {name: t.detach().to("cpu", dtype).contiguous() for name, t in tensors.items()}
    with replacing(path) as part:
        save_file(cpu, part)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors as float32. Raises UserError when the file is missing or damaged."""
    if not path.is_file():
        raise UserError(
            f"“{path}” is missing.", next_step="Restore it from a copy, or train again."
        )
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(
            f"“{path}” is damaged or cut short: {error}.",
            next_step="Restore it from a copy, or train again.",
        ) from error
