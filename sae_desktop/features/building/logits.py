"""What features do to the logits. F features, V tokens of the vocabulary, N kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.intervene import (
    final_norm_centres,
    stream_directions,
    unembedding,
)
from sae_desktop.language_model.sites.resolve import parse_site

_EFFECTS_AT_ONCE = 2**26

Array = npt.NDArray[Any]


def logit_arrays(
    lm: LanguageModel,
    site: str,
    W_dec_FD: Tensor,
    count: int,
    context: JobContext | None = None,
) -> dict[str, Array]:
    """Return the `logits/…` arrays of an index; none for a model without logits.

    The effect of a direction d on the logits is (d · final norm weight) @ W_U, up to the
    norm's scale; d is less its mean where the final norm takes the mean off (a LayerNorm).
    Memory is that of a block of features × V.
    """
    context = context or SilentContext()
    found = unembedding(lm)
    if found is None:
        return {}
    W_U, norm_D = found
    centred = final_norm_centres(lm)
    features, vocabulary = len(W_dec_FD), W_U.shape[1]
    kept = min(count, vocabulary)
    arrays: dict[str, Array] = {"logits/median": np.zeros(features, np.float32)}
    for side in ("top", "bottom"):
        arrays[f"logits/{side}_ids"] = np.zeros((features, kept), np.int32)
        arrays[f"logits/{side}_values"] = np.zeros((features, kept), np.float32)
    step = max(1, _EFFECTS_AT_ONCE // vocabulary)
    with torch.no_grad():
        for begin in range(0, features, step):
            context.check_cancelled()
            context.progress(begin, features, "features", "Finding effects on the logits")
            block = W_dec_FD[begin : begin + step]
            stream = stream_directions(lm, parse_site(site), block).to(W_U)
            span = slice(begin, begin + len(block))
            effects_FV = logit_effects(stream, W_U, norm_D, centred=centred)
            arrays["logits/median"][span] = _median(effects_FV)
            for side in ("top", "bottom"):
                best = torch.topk(effects_FV, kept, dim=1, largest=side == "top")
                arrays[f"logits/{side}_ids"][span] = best.indices.cpu().numpy()
                arrays[f"logits/{side}_values"][span] = best.values.cpu().numpy()
    context.progress(features, features, "features", "Finding effects on the logits")
    return arrays | _by_token(arrays["logits/top_ids"], vocabulary)


def logit_effects(
    directions_FD: Tensor, W_U_DV: Tensor, norm_D: Tensor | None, *, centred: bool
) -> Tensor:
    """Return the raw effects (F, V) of directions of the residual stream."""
    if centred:
        directions_FD = directions_FD - directions_FD.mean(dim=1, keepdim=True)
    return (directions_FD if norm_D is None else directions_FD * norm_D) @ W_U_DV


def _median(values_FV: Tensor) -> Array:
    """Return the medians (F,); of an even number the mean of the middle two."""
    # numpy's selection on a processor is several times as fast as torch's.
    size = values_FV.shape[1]
    middle = [(size - 1) // 2, size // 2]
    parted = np.partition(values_FV.float().cpu().numpy(), middle, axis=1)
    return np.asarray(parted[:, middle].mean(axis=1))


def _by_token(top_ids_FN: Array, vocabulary: int) -> dict[str, Array]:
    """Return which features have a token among their top ones, ascending for each token."""
    flat = top_ids_FN.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat, minlength=vocabulary)
    return {
        "logits/token_offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "logits/token_features": (order // max(top_ids_FN.shape[1], 1)).astype(np.int32),
    }
