"""Which number format the dense products of a training step are given."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.devices.abilities import has_native_bfloat16

_ROWS_A_PIECE = 256
"""Integers up to this are exact in bfloat16."""


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of a precision setting: "auto", "float32" or "bfloat16"."""
    if name == "auto":
        return torch.bfloat16 if has_native_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


class LowPrecision:
    """Copies of weights in the format of the dense products, made again each step."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._copies: dict[str, Tensor] = {}

    def of(self, name: str, weights: Tensor) -> Tensor:
        """Return `weights` in that format; the memory is that of the last call of this name."""
        if weights.dtype == self.dtype:
            return weights
        copy = self._copies.get(name)
        if copy is None or copy.shape != weights.shape or copy.device != weights.device:
            copy = self._copies[name] = torch.empty_like(weights, dtype=self.dtype)
        return copy.copy_(weights)


def column_sums(matrix_RF: Tensor) -> Tensor:
    """Return Σ over the rows, (F,) float32; counts of up to 256 ones a piece stay exact.

    As a product with indicator rows: several times as fast on a CPU as a reduction, and the
    sums of pieces are added in float32.
    """
    rows = len(matrix_RF)
    pieces = -(-rows // _ROWS_A_PIECE)
    piece = torch.arange(rows, device=matrix_RF.device) // _ROWS_A_PIECE
    indicator = torch.zeros(pieces, rows, dtype=matrix_RF.dtype, device=matrix_RF.device)
    indicator[piece, torch.arange(rows, device=matrix_RF.device)] = 1
    return (indicator @ matrix_RF).float().sum(dim=0)
