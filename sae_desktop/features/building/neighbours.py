"""The nearest decoder directions of a dictionary. F features, D width, N neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.devices.abilities import is_host
from sae_desktop.jobs import JobContext, SilentContext

EXACT_FEATURES = 200_000
"""Up to this many features every pair is compared on a processor too."""
_COSINES_AT_ONCE = 2**26
_SILENT = 1e-6
"""A feature whose direction at an output is shorter than this share of the longest is silent."""
_LEAST = 1e-20

Array = npt.NDArray[Any]


class Neighbours(NamedTuple):
    """The nearest other directions."""

    ids: Array
    """(F, N) int32, nearest first; −1: fewer than N."""
    cosines: Array
    """(F, N) float32; 0 where there is none."""
    exact: bool
    """False: found by descent, which misses a few."""


def nearest_directions(
    W_dec_FD: Tensor | Sequence[Tensor],
    count: int,
    context: JobContext | None = None,
    *,
    exact_features: int = EXACT_FEATURES,
) -> Neighbours:
    """Return the `count` directions of the largest cosine with each, itself left out.

    Of several outputs the directions of each (n, D), of which only the first n features have one;
    they are compared as if side by side. Exact on an accelerator, and up to `exact_features` on a
    processor. Past that approximate: nearest-neighbour descent (Dong et al. 2011, pynndescent),
    whose cosines are exact and whose neighbours are most of the true ones; the job's log says so.
    """
    context = context or SilentContext()
    parts = [W_dec_FD] if isinstance(W_dec_FD, Tensor) else list(W_dec_FD)
    features = max(len(part) for part in parts)
    kept = min(count, features - 1)
    exact = features <= exact_features or not is_host(parts[0].device)
    ids = np.full((features, count), -1, dtype=np.int32)
    cosines = np.zeros((features, count), dtype=np.float32)
    if kept > 0:
        directions = normalised(parts, features)
        if exact:
            _compare_all(directions, features, kept, ids, cosines, context)
        else:
            context.log(f"The neighbours of {features:,} features are approximate (descent).")
            _descend(_side_by_side(directions, features), kept, ids, cosines, context)
    return Neighbours(ids, cosines, exact)


def neighbour_arrays(found: Neighbours, count: int) -> dict[str, Array]:
    """Return what an index holds of them: `count` neighbours and the nearest one's cosine."""
    ids, cosines = found.ids[:, :count], found.cosines[:, :count]
    nearest = np.where(found.ids[:, 0] >= 0, found.cosines[:, 0], 0.0)
    return {
        "neighbours/ids": np.ascontiguousarray(ids),
        "neighbours/cosines": np.ascontiguousarray(cosines),
        "columns/nearest_cosine": nearest.astype(np.float32),
    }


def part_neighbours(
    part_nD: Tensor, features: int, count: int, context: JobContext
) -> tuple[Array, Array]:
    """Return ids and cosines (F, N) by what is written to one output; −1: fewer, or it is silent.

    `part_nD` are the directions there of the first n of F features.
    """
    writes = part_nD.norm(dim=1) > _SILENT * part_nD.norm(dim=1).max()
    numbers = torch.nonzero(writes).squeeze(1)
    ids = np.full((features, count), -1, np.int32)
    cosines = np.zeros((features, count), np.float32)
    if len(numbers) > 1:
        found = nearest_directions(part_nD[numbers], count, context)
        own = numbers.cpu().numpy()
        ids[own] = np.where(found.ids >= 0, own[np.maximum(found.ids, 0)], -1)
        cosines[own] = found.cosines
    return ids, cosines


def normalised(parts: Sequence[Tensor], features: int) -> list[Tensor]:
    """Return directions (n, D) of the first n features at each output, so that those of a
    feature have length 1 side by side."""
    if len(parts) == 1:
        return [torch.nn.functional.normalize(parts[0].float(), dim=1)]
    squares = torch.zeros(features, device=parts[0].device)
    for part in parts:
        squares[: len(part)] += part.float().square().sum(dim=1)
    norms = squares.sqrt().clamp_min(_LEAST)[:, None]
    return [part.float() / norms[: len(part)] for part in parts]


def _side_by_side(parts: Sequence[Tensor], features: int) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    rows = [torch.nn.functional.pad(part, (0, 0, 0, features - len(part))) for part in parts]
    return torch.cat(rows, dim=1)


def _compare_all(
    parts: Sequence[Tensor],
    features: int,
    kept: int,
    ids: Array,
    cosines: Array,
    context: JobContext,
) -> None:
    step = max(1, _COSINES_AT_ONCE // features)
    for begin in range(0, features, step):
        context.check_cancelled()
        context.progress(begin, features, "features", "Finding neighbours")
        block = products(parts, parts, begin, min(begin + step, features), features)
        own = torch.arange(len(block), device=block.device)
        block[own, own + begin] = -torch.inf
        best = torch.topk(block, kept, dim=1)
        ids[begin : begin + step, :kept] = best.indices.cpu().numpy()
        cosines[begin : begin + step, :kept] = best.values.cpu().numpy()
    context.progress(features, features, "features", "Finding neighbours")


def products(
    own: Sequence[Tensor], other: Sequence[Tensor], begin: int, end: int, others: int
) -> Tensor:
    """Return the products (end − begin, others) of some features' directions with all others'.

    Those at each output, (n, D) of the first n features, are added up.
    """
    if len(own) == 1 and len(other[0]) == others:
        return own[0][begin:end] @ other[0].T
    block = torch.zeros(end - begin, others, device=own[0].device)
    for mine, theirs in zip(own, other, strict=True):
        rows = mine[begin : min(end, len(mine))]
        block[: len(rows), : len(theirs)] += rows @ theirs.T
    return block


def _descend(
    directions: Tensor, kept: int, ids: Array, cosines: Array, context: JobContext
) -> None:
    from pynndescent import NNDescent  # compiles for seconds: only where it is used

    context.check_cancelled()
    context.progress(0, 1, "passes", "Finding neighbours (approximately)")
    data = directions.numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = NNDescent(data, metric="cosine", n_neighbors=kept + 1, random_state=0)
    found = graph.neighbor_graph[0]
    step = max(1, _COSINES_AT_ONCE // ((kept + 1) * data.shape[1]))
    for begin in range(0, len(data), step):
        context.check_cancelled()
        near = found[begin : begin + step].astype(np.int64)
        rows = np.arange(begin, begin + len(near))
        dots = np.einsum("fd,fnd->fn", data[rows], data[np.maximum(near, 0)])
        dots[(near < 0) | (near == rows[:, None])] = -np.inf
        order = np.argsort(-dots, axis=1, kind="stable")[:, :kept]
        best = np.take_along_axis(dots, order, axis=1)
        there = np.isfinite(best)
        ids[rows, :kept] = np.where(there, np.take_along_axis(near, order, axis=1), -1)
        cosines[rows, :kept] = np.where(there, best, 0.0)
    context.progress(1, 1, "passes", "Finding neighbours (approximately)")
