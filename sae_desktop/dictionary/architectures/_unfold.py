"""The reverse of folding: from a dictionary of raw rows back to weights in training.

Shape legend: I input width, O output width, F features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine

_SAME = 1e-4
"""Thresholds that differ by less than this share of the largest are one, rounded."""


class Unfolded(NamedTuple):
    """Weights for normalised rows that fold to a given dictionary; decoder rows are units."""

    W_enc_FI: Tensor
    b_enc: Tensor
    W_dec_FO: Tensor
    b_dec: Tensor
    threshold: Tensor | None
    W_skip_OI: Tensor | None


def unfold(dictionary: Dictionary, source: Affine, target: Affine) -> Unfolded:
    """Return the weights, on the CPU, of which `fold` makes the dictionary again."""
    d = dictionary.to("cpu")
    source, target = source.to("cpu"), target.to("cpu")
    W_dec = d.W_dec * target.scale
    lengths = torch.linalg.vector_norm(W_dec, dim=1)
    # A feature that writes nothing keeps its encoder as it is.
    lengths = torch.where(lengths > 0, lengths, 1.0)
    W_dec.div_(lengths[:, None])
    W_enc = (d.W_enc.T / source.scale).mul_(lengths[:, None])
    # A large mean takes most digits of a sum in float32.
    moved = (W_enc.double() @ (source.shift * source.scale).double()).float()
    b_dec, W_skip = d.b_dec - target.shift, None
    if d.W_skip is not None:
        W_skip = d.W_skip.T / source.scale * target.scale[:, None]
        b_dec = b_dec + source.shift @ d.W_skip
    return Unfolded(
        W_enc_FI=W_enc,
        b_enc=d.b_enc * lengths + moved,
        W_dec_FO=W_dec,
        b_dec=b_dec * target.scale,
        threshold=None if d.threshold is None else d.threshold.clamp_min(0) * lengths,
        W_skip_OI=W_skip,
    )


def one_threshold(threshold: Tensor | None) -> Tensor:
    """Return the threshold () that all features share. Raises ValueError where there is none."""
    if threshold is None:
        raise ValueError("its features have no threshold")
    largest = threshold.max()
    if float(largest - threshold.min()) > _SAME * float(largest):
        raise ValueError("each of its features has a threshold of its own")
    return threshold.mean()
