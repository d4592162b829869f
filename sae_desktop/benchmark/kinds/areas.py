"""Areas under ROC curves of many scores for many concepts at once. Free of torch.

N instances of C concepts, n scores of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def concept_areas(
    scores_Nn: Array, concept_N: Array, concepts: int, thing_N: Array | None = None
) -> Array:
    """Return (C, n) float32: the area of each score, of a concept's instances above all others.

    0.5 of a concept that has no instances, or all of them. `thing_N`: what each instance is; one
    that is an instance of several concepts, as a red heart is of red and of love, does not stand
    against any of them.
    """
    from scipy.stats import rankdata

    ranks_Nn = rankdata(scores_Nn, axis=0)
    found = np.full((concepts, scores_Nn.shape[1]), 0.5, np.float32)
    for concept in range(concepts):
        own, of = concept_N == concept, ranks_Nn
        kept = own | ~shared(own, thing_N)
        if not kept.all():
            own, of = own[kept], rankdata(scores_Nn[kept], axis=0)
        on, off = int(own.sum()), int((~own).sum())
        if on and off:
            found[concept] = (of[own].sum(axis=0) - on * (on + 1) / 2) / (on * off)
    return found


def shared(own_N: Array, thing_N: Array | None) -> Array:
    """Return (N,) bool: what is not a concept's own, but the same thing as one that is."""
    if thing_N is None:
        return np.zeros(len(own_N), bool)
    return np.asarray(np.isin(thing_N, thing_N[own_N]) & ~own_N)
