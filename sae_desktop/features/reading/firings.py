"""All activations above 0 of a dictionary's features over a text, read feature by feature.

F features, R rows; a firing is a row on which a feature is active.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class FiringBlock(NamedTuple):
    """The firings of the features first … first + n − 1."""

    first: int
    offsets: Array
    """(n + 1,) int64: feature first + i has the entries offsets[i] : offsets[i + 1]."""
    rows: Array
    """(m,) int64, ascending within a feature."""
    values: Array
    """(m,) float32, all above 0."""

    @property
    def features(self) -> Array:
        """(m,) int64, the feature of every entry."""
        return self.first + np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def only(self, kept: Array) -> FiringBlock:
        """Return the block with the entries (m,) alone that are `kept`."""
        before = np.concatenate([[0], np.cumsum(kept)])
        return FiringBlock(
            self.first, before[self.offsets].astype(np.int64), self.rows[kept], self.values[kept]
        )


class RowBlock(NamedTuple):
    """The firings on the rows first … first + n − 1."""

    first: int
    offsets: Array
    """(n + 1,) int64."""
    features: Array
    """(m,) int32, ascending within a row."""
    values: Array
    """(m,) float32."""


class Firings(Protocol):
    """What the parts of an index are computed from. Memory is that of one block."""

    @property
    def features(self) -> int:
        """F."""

    @property
    def rows(self) -> int:
        """R."""

    def by_feature(self, step: int) -> Iterator[FiringBlock]:
        """Yield all features in order, `step` at a time."""

    def by_row(self, step: int) -> Iterator[RowBlock]:
        """Yield all rows in order, `step` at a time."""
