"""The geometry of a dictionary: the norms of its decoder rows, and how close they are to each
other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import Architecture

PRODUCTS = 2**37
"""Multiplications spent on nearest cosines where a result is computed once."""
PRODUCTS_IN_A_RUN = 2**32
"""The same where it is computed again and again beside the training."""

_FEWEST = 64
_COSINES_AT_ONCE = 2**24


def decoder_norms(architecture: Architecture) -> Tensor:
    """Return (F,) ‖W_dec,i‖ as they are trained: folding makes every one of them 1."""
    # A cross-layer transcoder has a decoder a layer, W_dec_0 and so on.
    decoders = [p.detach() for name, p in architecture.parameters.items() if "W_dec" in name]
    return torch.cat([W_dec.norm(dim=1) for W_dec in decoders])


def nearest_cosines(W_dec_FO: Tensor, *, products: int = PRODUCTS, seed: int = 0) -> Tensor:
    """Return (n,) the cosine of a feature's direction to that of its nearest other feature.

    Of a dictionary so large that all pairs would cost more than `products` multiplications, n
    random features are compared with all; no more than a block of cosines is in memory at a
    time. A feature of norm 0 has no direction and counts as cosine 0. With one feature: none.
    """
    features, width = W_dec_FO.shape
    if features < 2:
        return torch.zeros(0)
    count = min(features, max(_FEWEST, products // (features * width)))
    generator = torch.Generator().manual_seed(seed)
    ids_n = torch.arange(features)
    if count < features:
        ids_n = torch.randperm(features, generator=generator)[:count].sort().values
    norms_F = W_dec_FO.norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    per_block = max(1, _COSINES_AT_ONCE // features)
    blocks = (ids_n[i : i + per_block].to(W_dec_FO.device) for i in range(0, count, per_block))
    return torch.cat([_nearest(W_dec_FO, norms_F, ids).cpu() for ids in blocks])


def _nearest(W_dec_FO: Tensor, norms_F: Tensor, ids_n: Tensor) -> Tensor:
    directions_nO = W_dec_FO[ids_n] / norms_F[ids_n, None]
    cosines_nF = (directions_nO @ W_dec_FO.T).div_(norms_F)
    cosines_nF[torch.arange(len(ids_n), device=ids_n.device), ids_n] = -torch.inf
    return cosines_nF.max(dim=1).values
