"""From the weights as a library keeps them to a Dictionary: everything folded in."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary, RowNorm
from sae_desktop.dictionary.refinement import Refinement

_TOLERANCE = 1e-5
"""Norms of decoder rows closer to one than this are one, rounded."""


def folded(
    W_enc: Tensor,
    b_enc: Tensor,
    W_dec: Tensor,
    b_dec: Tensor,
    *,
    threshold: Tensor | None = None,
    k: int | None = None,
    ranked_by_norm: bool = False,
    grouped: bool = False,
    subtracts_b_dec: bool = False,
    W_skip: Tensor | None = None,
    row_norm: RowNorm = "none",
    parts: tuple[int, ...] = (),
    refinement: Refinement | None = None,
) -> Dictionary:
    """Return the dictionary of W_enc (I, F), W_dec (F, O) of any norms, W_skip (I, O).

    The norms of decoder rows move into the encoder: what is written and which features are
    active stay. A library that chooses the k largest before the norms (`ranked_by_norm` False)
    has its choice kept by `Dictionary.rank`. `subtracts_b_dec`: its encoder reads x − b_dec.
    """
    W_enc, b_enc, W_dec, b_dec = (t.float() for t in (W_enc, b_enc, W_dec, b_dec))
    threshold = None if threshold is None else threshold.float()
    if subtracts_b_dec:
        b_enc = b_enc - b_dec @ W_enc
    rank: Tensor | None = None
    norms = W_dec.norm(dim=1)
    if not torch.allclose(norms, torch.ones_like(norms), atol=_TOLERANCE):
        norms = torch.where(norms > 0, norms, 1.0)
        W_enc, b_enc, W_dec = W_enc * norms, b_enc * norms, W_dec / norms[:, None]
        threshold = None if threshold is None else threshold * norms
        refinement = None if refinement is None else refinement.scaled(norms)
        if k is not None and not ranked_by_norm:
            rank = 1 / norms
    return Dictionary(
        W_enc.contiguous(),
        b_enc,
        W_dec.contiguous(),
        b_dec,
        threshold,
        k=k,
        rank=rank,
        grouped=grouped,
        W_skip=None if W_skip is None else W_skip.float().contiguous(),
        parts=parts,
        row_norm=row_norm,
        refinement=refinement,
    )
