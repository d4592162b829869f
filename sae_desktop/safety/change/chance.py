"""Whether a change is more than chance: paired over texts, corrected for looking at many.

N texts, F features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from sae_desktop.safety.change.change_file import LEVEL

Array = npt.NDArray[Any]
_TINY = 1e-12
_DRAWS = 199


class Changed(NamedTuple):
    """Of each feature, what a paired test over the texts says."""

    mean_F: Array
    size_F: Array
    """Mean difference in standard deviations of the differences."""
    p_F: Array
    q_F: Array
    """p corrected by Benjamini and Hochberg."""

    @property
    def features(self) -> int:
        return int((self.q_F <= LEVEL).sum())


def paired(before_NF: Array, after_NF: Array) -> Changed:
    """Return what a t test of the differences says. Features that never differ have p = 1."""
    difference = np.asarray(after_NF, np.float64) - before_NF
    count = len(difference)
    mean = difference.mean(axis=0)
    deviation = difference.std(axis=0, ddof=1) if count > 1 else np.zeros_like(mean)
    moved = deviation > _TINY
    size = np.where(moved, mean / np.where(moved, deviation, 1.0), 0.0)
    p = np.where(moved, 2 * stats.t.sf(np.abs(size) * np.sqrt(count), max(count - 1, 1)), 1.0)
    return Changed(mean, size, p, corrected(p))


def corrected(p: Array) -> Array:
    """Return p values corrected by Benjamini and Hochberg."""
    if not len(p):
        return np.asarray(p, np.float64)
    return np.asarray(stats.false_discovery_control(np.clip(p, 0.0, 1.0)), np.float64)


def sign_flip_p(differences_ND: Array, seed: int) -> float:
    """Return how often a mean of as many rows with random signs is as long as theirs."""
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (_DRAWS, len(differences_ND)))
    rows = np.asarray(differences_ND, np.float64)
    drawn = np.linalg.norm(signs @ rows, axis=1)
    return float((1 + (drawn >= np.linalg.norm(rows.sum(axis=0))).sum()) / (_DRAWS + 1))


def halves_agree(differences_ND: Array) -> float:
    """Return the cosine of the means of every second row and of the others."""
    one, other = differences_ND[::2].mean(axis=0), differences_ND[1::2].mean(axis=0)
    product = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / product if product > _TINY else 0.0
