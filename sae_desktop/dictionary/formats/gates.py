"""Gated dictionaries as dictionaries with thresholds: their gate reads the same weights."""

from __future__ import annotations

from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary, RowNorm
from sae_desktop.dictionary.formats.folding import folded


def gated(
    W_enc: Tensor,
    b_gate: Tensor,
    b_mag: Tensor,
    r_mag: Tensor,
    W_dec: Tensor,
    b_dec: Tensor,
    *,
    subtracts_b_dec: bool = False,
    row_norm: RowNorm = "none",
) -> Dictionary:
    """Return the dictionary of a gate x·W_enc + b_gate and a magnitude exp(r)·x·W_enc + b_mag.

    The gate is open where the magnitude is above b_mag − exp(r)·b_gate.
    """
    gain = r_mag.float().exp()
    threshold = (b_mag.float() - gain * b_gate.float()).clamp_min(0)
    return folded(
        W_enc.float() * gain, b_mag, W_dec, b_dec, threshold=threshold,
        subtracts_b_dec=subtracts_b_dec, row_norm=row_norm,
    )  # fmt: skip
