"""The geometry of a dictionary: the norms of its decoder rows, and how close they are to each
other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
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


def nearest_cosines(
    decoder: Tensor | Dictionary, *, products: int = PRODUCTS, seed: int = 0
) -> Tensor:
    """Return (n,) the cosine of a feature's direction to that of its nearest other feature.

    `decoder` is W_dec (F, O), or the dictionary, whose decoder is then not assembled where it is
    kept layer by layer. Of a dictionary so large that all pairs would cost more than `products`
    multiplications, n random features are compared with all; no more than a block of cosines is
    in memory at a time. A feature of norm 0 has no direction and counts as cosine 0. With one
    feature: none.
    """
    if isinstance(decoder, Tensor):
        decoder = Dictionary(decoder.T, decoder[:, 0], decoder, decoder[0])
    features, width = decoder.features, decoder.out_width
    if features < 2:
        return torch.zeros(0)
    count = min(features, max(_FEWEST, products // (features * width)))
    generator = torch.Generator().manual_seed(seed)
    ids_n = torch.arange(features)
    if count < features:
        ids_n = torch.randperm(features, generator=generator)[:count].sort().values
    step = max(1, _COSINES_AT_ONCE // width)
    some = (torch.arange(features)[i : i + step] for i in range(0, features, step))
    norms = [decoder.decoder_rows(ids).norm(dim=1) for ids in some]
    norms_F = torch.cat(norms).clamp_min(torch.finfo(torch.float32).tiny)
    per_block = max(1, _COSINES_AT_ONCE // features)
    blocks = (ids_n[i : i + per_block].to(decoder.device) for i in range(0, count, per_block))
    return torch.cat([_nearest(decoder, norms_F, ids).cpu() for ids in blocks])


def _nearest(decoder: Dictionary, norms_F: Tensor, ids_n: Tensor) -> Tensor:
    directions_nO = decoder.decoder_rows(ids_n) / norms_F[ids_n, None]
    cosines_nF = decoder.dots(directions_nO).div_(norms_F)
    cosines_nF[torch.arange(len(ids_n), device=ids_n.device), ids_n] = -torch.inf
    return cosines_nF.max(dim=1).values
