"""Firings held in memory, from the activations of every feature on every row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.firings import FiringBlock, RowBlock


class DenseFirings:
    """`Firings` of activations (F, R)."""

    def __init__(self, acts_FR: npt.NDArray[Any]) -> None:
        self.acts = np.asarray(acts_FR, dtype=np.float32)
        self.features, self.rows = self.acts.shape

    def by_feature(self, step: int) -> Iterator[FiringBlock]:
        for first in range(0, self.features, step):
            offsets, rows, values = _entries(self.acts[first : first + step])
            yield FiringBlock(first, offsets, rows, values)

    def by_row(self, step: int) -> Iterator[RowBlock]:
        for first in range(0, self.rows, step):
            offsets, features, values = _entries(self.acts.T[first : first + step])
            yield RowBlock(first, offsets, features.astype(np.int32), values)


def _entries(acts: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    line, place = np.nonzero(acts)
    counts = np.bincount(line, minlength=len(acts))
    return np.concatenate([[0], np.cumsum(counts)]), place, acts[line, place]
