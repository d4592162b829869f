"""What features do to the logits. F features, V tokens of the vocabulary, N kept."""

from __future__ import annotations

from collections.abc import Callable
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
_SIDES = ("top", "bottom")

Array = npt.NDArray[Any]


def logit_arrays(
    lm: LanguageModel,
    features: int,
    written: Callable[[int, int], Tensor],
    count: int,
    context: JobContext | None = None,
) -> dict[str, Array]:
    """Return the `logits/…` arrays of an index; none for a model without logits.

    `written(first, last)` is what some features add to the residual stream, (last − first, D).

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
    vocabulary = W_U.shape[1]
    kept = min(count, vocabulary)
    arrays: dict[str, Array] = {"logits/median": np.zeros(features, np.float32)}
    for side in _SIDES:
        arrays[f"logits/{side}_ids"] = np.zeros((features, kept), np.int32)
        arrays[f"logits/{side}_values"] = np.zeros((features, kept), np.float32)
    step = max(1, _EFFECTS_AT_ONCE // vocabulary)
    with torch.no_grad():
        for begin in range(0, features, step):
            context.check_cancelled()
            context.progress(begin, features, "features", "Finding effects on the logits")
            end = min(begin + step, features)
            stream = written(begin, end).to(W_U)
            span = slice(begin, end)
            effects_FV = logit_effects(stream, W_U, norm_D, centred=centred)
            arrays["logits/median"][span] = _median(effects_FV)
            for side in _SIDES:
                best = torch.topk(effects_FV, kept, dim=1, largest=side == "top")
                arrays[f"logits/{side}_ids"][span] = best.indices.cpu().numpy()
                arrays[f"logits/{side}_values"][span] = best.values.cpu().numpy()
    context.progress(features, features, "features", "Finding effects on the logits")
    return arrays | _by_token(arrays["logits/top_ids"], vocabulary)


def part_logit_arrays(
    lm: LanguageModel, site: str, part_nD: Tensor, features: int, count: int, context: JobContext
) -> dict[str, Array]:
    """Return what features do to the logits through one output, by name: spread, top_ids ….

    `part_nD` are the directions there of the first n of F features; (F,) or (F, N) each. Empty
    for a model without logits.
    """
    found = unembedding(lm)
    if found is None:
        return {}
    W_U, norm_D = found
    centred, kept = final_norm_centres(lm), min(count, W_U.shape[1])
    arrays: dict[str, Array] = {"spread": np.zeros(features, np.float32)}
    for side in _SIDES:
        arrays[f"{side}_ids"] = np.full((features, kept), -1, np.int32)
        arrays[f"{side}_values"] = np.zeros((features, kept), np.float32)
    step = max(1, _EFFECTS_AT_ONCE // W_U.shape[1])
    with torch.no_grad():
        for begin in range(0, len(part_nD), step):
            context.check_cancelled()
            block = part_nD[begin : begin + step]
            writes = (block.norm(dim=1) > 0).cpu().numpy()
            stream = stream_directions(lm, parse_site(site), block).to(W_U)
            effects = logit_effects(stream, W_U, norm_D, centred=centred)
            span = slice(begin, begin + len(block))
            arrays["spread"][span] = effects.std(dim=1, correction=0).cpu().numpy()
            for side in _SIDES:
                best = torch.topk(effects, kept, dim=1, largest=side == "top")
                ids, values = best.indices.cpu().numpy(), best.values.cpu().numpy()
                arrays[f"{side}_ids"][span] = np.where(writes[:, None], ids, -1)
                arrays[f"{side}_values"][span] = np.where(writes[:, None], values, 0.0)
    return arrays


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
