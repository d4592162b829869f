"""What becomes of a dictionary's features under other seeds.

PW-MCC (Song et al., 2025): the features of two dictionaries are paired one to one so that their
|cosines| add up to most; the mean of these, over all pairs of dictionaries. And of each feature,
in how many of the other dictionaries some feature has nearly its direction: signed, since a
feature that fires on the opposite is another one. A, B features.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.benchmark.config import Figure, Stability
from sae_desktop.benchmark.intervals import mean_over_seeds
from sae_desktop.devices.abilities import float64_of
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures.base import random_directions
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

MOST_PAIRED = 16_384
"""Features from which on pairing all one to one takes too much memory and time."""
_COSINES_AT_ONCE = 2**25


def directions(dictionary: Dictionary) -> Tensor:
    """Return (F, O) decoder rows of norm one; a row of norm 0 stays."""
    W_dec = dictionary.decoder_rows(torch.arange(dictionary.features)).float()
    return torch.nn.functional.normalize(W_dec, dim=1)


def returns(
    sides: Sequence[Tensor], least_cosine: float, context: JobContext
) -> list[npt.NDArray[np.int16]]:
    """Return (F,) of each dictionary: in how many of the others each feature returns."""
    found = [np.zeros(len(side), np.int16) for side in sides]
    pairs = list(itertools.combinations(range(len(sides)), 2))
    for done, (one, other) in enumerate(pairs):
        context.progress(done, len(pairs), "pairs", "Matching the seeds")
        best_A, best_B = _best(sides[one], sides[other], context)
        found[one] += (best_A >= least_cosine).numpy().astype(np.int16)
        found[other] += (best_B >= least_cosine).numpy().astype(np.int16)
    context.progress(len(pairs), len(pairs), "pairs", "Matching the seeds")
    return found


def _best(one: Tensor, other: Tensor, context: JobContext) -> tuple[Tensor, Tensor]:
    """Return the largest cosine of each feature (A,), (B,) with any of the other dictionary."""
    best_A = torch.empty(len(one))
    best_B = torch.full((len(other),), -torch.inf)
    step = max(1, _COSINES_AT_ONCE // len(other))
    for begin in range(0, len(one), step):
        context.check_cancelled()
        cosines = (one[begin : begin + step] @ other.T).cpu()
        best_A[begin : begin + step] = cosines.amax(dim=1)
        best_B = torch.maximum(best_B, cosines.amax(dim=0))
    return best_A, best_B


def paired_cosine(one: Tensor, other: Tensor) -> float:
    """Return the mean |cosine| of the best pairing of two sets of directions, one to one."""
    from scipy.optimize import linear_sum_assignment

    cosines = (one @ other.T).abs().cpu().numpy()
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return float(cosines[rows, columns].mean())


def stability(
    sides: Sequence[Tensor], least_cosine: float, seed: int, context: JobContext
) -> tuple[Stability, list[npt.NDArray[np.int16]]]:
    """Return what becomes of a recipe's features, beside random directions of the same number.

    `sides` are two dictionaries or more.
    """
    counts = returns(sides, least_cosine, context)
    others = len(sides) - 1
    generator = torch.Generator().manual_seed(seed)
    features, width = sides[0].shape
    random = [random_directions(features, width, generator).to(sides[0]) for _ in range(2)]
    above = _best(random[0], random[1], context)[0] >= least_cosine
    chance = float64_of(above).mean()
    pw_mcc: Figure | None = None
    random_pw_mcc: float | None = None
    if max(len(side) for side in sides) <= MOST_PAIRED:
        pairs = list(itertools.combinations(sides, 2))
        values = []
        for done, (one, other) in enumerate(pairs):
            context.check_cancelled()
            context.progress(done, len(pairs), "pairs", "Pairing features one to one")
            values.append(paired_cosine(one, other))
        context.progress(len(pairs), len(pairs), "pairs", "Pairing features one to one")
        # Pairs that share a seed are not drawn by themselves: no interval over pairs is given.
        pw_mcc = Figure(value=float(np.mean(values)))
        random_pw_mcc = paired_cosine(random[0], random[1])
    returning = mean_over_seeds([float((count == others).mean()) for count in counts])
    never = mean_over_seeds([float((count == 0).mean()) for count in counts])
    told = Stability(
        pw_mcc=pw_mcc, returning=returning.value, never=never.value,
        random_pw_mcc=random_pw_mcc, random_returning=float(chance),
    )  # fmt: skip
    return told, counts
