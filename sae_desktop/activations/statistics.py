"""Figures of a site's rows, gathered while harvesting. Free of torch.

They are sums, so that those of segments add up. A site's sums are one record of float64:
counts, then Σx and Σx² by dimension, then histograms of ‖x‖ over fixed logarithmic bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.config import OutlierDimension, SiteFigures

Array = npt.NDArray[Any]

MASSIVE = 10.0
"""Rows of over this many median norms are massive activations."""
BINS_PER_DECADE = 50
_LOWEST, _HIGHEST = -6, 9  # decades of ‖x‖
NORM_EDGES = np.logspace(_LOWEST, _HIGHEST, (_HIGHEST - _LOWEST) * BINS_PER_DECADE + 1)
_BINS = len(NORM_EDGES) - 1
_COUNTS = ("rows", "first_rows", "first_norm", "error")
OUTLIERS = 8
_OUTLIER_TIMES = 10.0
"""A dimension stands out when its E x² is this many times that of the median dimension."""


def record_length(width: int) -> int:
    """Return how many numbers the record of a site of that width has."""
    return len(_COUNTS) + 2 * width + 2 * _BINS


@dataclass(frozen=True)
class RowSums:
    """Sums over rows (R, D) on their way into a store."""

    norms: Array
    """(R,) ‖x‖ of the rows stored."""
    first_norms: Array
    """(W,) ‖x‖ of the first rows of windows, stored or not."""
    sum_D: Array
    square_D: Array
    """Σx² by dimension."""
    error: float
    """Σ‖x − stored‖²."""


class SiteStatistics:
    """The sums of one site."""

    def __init__(self, width: int, record: Array | None = None) -> None:
        self.width = width
        size = record_length(width)
        self.record = np.zeros(size) if record is None else np.array(record, dtype="<f8")
        if self.record.shape != (size,):
            raise ValueError(f"a record of {self.record.shape} for width {width}")

    def add(self, sums: RowSums) -> None:
        """Count rows in."""
        values = (
            len(sums.norms),
            len(sums.first_norms),
            float(sums.first_norms.sum(dtype="f8")),
            sums.error,
        )
        self.record[: len(_COUNTS)] += values
        self._sum_D[:] += sums.sum_D
        self._square_D[:] += sums.square_D
        self._norms[:] += _histogram(sums.norms)
        self._first_norms[:] += _histogram(sums.first_norms)

    def merge(self, other: SiteStatistics) -> None:
        """Count in the rows of another segment."""
        self.record += other.record

    # Views into the record.
    def _part(self, first: int, length: int) -> Array:
        return self.record[len(_COUNTS) + first : len(_COUNTS) + first + length]

    @property
    def _sum_D(self) -> Array:
        return self._part(0, self.width)

    @property
    def _square_D(self) -> Array:
        return self._part(self.width, self.width)

    @property
    def _norms(self) -> Array:
        return self._part(2 * self.width, _BINS)

    @property
    def _first_norms(self) -> Array:
        return self._part(2 * self.width + _BINS, _BINS)

    @property
    def rows(self) -> int:
        return int(self.record[0])

    @property
    def mean_D(self) -> Array:
        """(D,) E x."""
        return self._sum_D / max(self.rows, 1)

    @property
    def variance_D(self) -> Array:
        """(D,) E (x − E x)²."""
        spread_D = self._square_D / max(self.rows, 1) - self.mean_D**2
        return np.asarray(np.maximum(spread_D, 0.0))

    @property
    def mean_square(self) -> float:
        """E‖x‖²."""
        return float(self._square_D.sum() / max(self.rows, 1))

    @property
    def scalar(self) -> float | None:
        """Rows × scalar have E‖x‖² = D (Scaling Monosemanticity, Methods); None without rows."""
        square = self.mean_square
        return float((self.width / square) ** 0.5) if square else None

    @property
    def median_norm(self) -> float:
        """To the width of a bin, 2.3%."""
        return _median(self._norms)

    def figures(self, site: str) -> SiteFigures:
        """Return what a person reads."""
        counts, first, first_norm, error = self.record[: len(_COUNTS)]
        median = self.median_norm
        massive = np.searchsorted(NORM_EDGES, MASSIVE * median) if counts else _BINS
        used = np.flatnonzero(self._norms)
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        spread = float(self.variance_D.sum())
        lost = float(error / counts) if counts else 0.0
        return SiteFigures(
            site=site,
            width=self.width,
            rows=int(counts),
            mean_square=self.mean_square,
            scalar=self.scalar,
            mean_norm=float(np.linalg.norm(self.mean_D)),
            median_norm=median,
            norm_edges=NORM_EDGES[low : high + 1].tolist(),
            norm_counts=self._norms[low:high].astype(int).tolist(),
            massive_rows=int(self._norms[massive:].sum()),
            massive_first_rows=int(self._first_norms[massive:].sum()),
            first_rows=int(first),
            first_norm=float(first_norm / first) if first else None,
            outliers=self._outliers(spread),
            storage_fvu=lost / spread if spread else 0.0,
        )

    def _outliers(self, spread: float) -> list[OutlierDimension]:
        square_D, variance_D = self._square_D / max(self.rows, 1), self.variance_D
        order = np.argsort(-square_D, kind="stable")[:OUTLIERS]
        limit = _OUTLIER_TIMES * float(np.median(square_D))
        return [
            OutlierDimension(
                dimension=int(d),
                variance_share=float(variance_D[d] / spread) if spread else 0.0,
                mean=float(self.mean_D[d]),
            )
            for d in order
            if square_D[d] > limit
        ]


def _histogram(norms: Array) -> Array:
    places = np.searchsorted(NORM_EDGES, norms, side="right") - 1
    return np.bincount(np.clip(places, 0, _BINS - 1), minlength=_BINS)


def _median(counts: Array) -> float:
    total = counts.sum()
    if not total:
        return 0.0
    place = int(np.searchsorted(np.cumsum(counts), total / 2))
    return float(np.sqrt(NORM_EDGES[place] * NORM_EDGES[place + 1]))
