"""What a feature's direction says without any text: logits and neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 1024


def logit_extremes(
    W_dec_FD: Tensor, W_U_DV: Tensor, norm_D: Tensor | None, count: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ids and values (F, count) of the tokens raised most, then of those lowered most.

    The effect is (W_dec · final norm weight) @ W_U, up to the norm's scale.
    """
    top_ids, top_values, bottom_ids, bottom_values = [], [], [], []
    for begin in range(0, len(W_dec_FD), _BLOCK):
        block = W_dec_FD[begin : begin + _BLOCK]
        effects = (block if norm_D is None else block * norm_D) @ W_U_DV
        top = torch.topk(effects, count, dim=1)
        bottom = torch.topk(effects, count, dim=1, largest=False)
        top_ids.append(top.indices)
        top_values.append(top.values)
        bottom_ids.append(bottom.indices)
        bottom_values.append(bottom.values)
    return (
        torch.cat(top_ids),
        torch.cat(top_values),
        torch.cat(bottom_ids),
        torch.cat(bottom_values),
    )


def nearest_features(W_dec_FD: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return ids and cosines (F, count) of the nearest other decoder directions."""
    directions = torch.nn.functional.normalize(W_dec_FD, dim=1)
    ids, cosines = [], []
    for begin in range(0, len(directions), _BLOCK):
        block = directions[begin : begin + _BLOCK] @ directions.T
        own = torch.arange(len(block), device=block.device)
        block[own, own + begin] = -2.0
        best = torch.topk(block, min(count, len(directions) - 1), dim=1)
        ids.append(best.indices)
        cosines.append(best.values)
    return torch.cat(ids), torch.cat(cosines)
