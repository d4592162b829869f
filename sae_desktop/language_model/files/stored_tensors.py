"""Tensors of older files, which may claim to be far larger than what the file holds of them."""

from __future__ import annotations

from torch import Tensor, strided

from sae_desktop.devices.abilities import is_host


def check_stored(name: str, tensor: Tensor) -> None:
    """Return if every number of a tensor read from a file is in it.

    A tensor may repeat one number without end, be sparse, or have no numbers at all; whatever
    is done with it takes memory for all it claims. Raises ValueError.
    """
    plain = tensor.layout == strided and is_host(tensor.device) and not tensor.is_quantized
    if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"its tensor “{name}” claims more numbers than the file holds of it")
