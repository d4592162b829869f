"""A column cut into bins, for a histogram over it that is a range filter. Free of Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.columns import ColumnInfo
from sae_desktop.features.reading.filter import Range

Array = npt.NDArray[Any]

BINS = 64
_WIDEST_DECADES = 8.0


class ColumnBins:
    """BINS bins over a column (F,): logarithmic where it spans decades, else of equal width.

    On a logarithmic axis the first bin also holds what is 0 or less. NaN is in no bin.
    """

    def __init__(self, values: Array, info: ColumnInfo) -> None:
        self.info = info
        values = np.asarray(values)
        positive = values[values > 0] if info.spans_decades else values[~np.isnan(values)]
        low = float(positive.min()) if len(positive) else 0.0
        high = float(positive.max()) if len(positive) else 1.0
        if info.spans_decades:
            low = max(low, high / 10**_WIDEST_DECADES) or 1e-6
            high = high or 1.0
            top = np.log10(high) if high > low else np.log10(low) + 1.0
            self.edges = np.logspace(np.log10(low), top, BINS + 1)
        else:
            self.edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
        self.logarithmic = info.spans_decades
        self._bin_of = self._bins(values)

    def _bins(self, values: Array) -> Array:
        first, last = self.edges[0], self.edges[-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.logarithmic:
                share = np.log(values / first) / np.log(last / first)
            else:
                share = (values - first) / (last - first)
        share = np.nan_to_num(share * BINS, nan=float(BINS), neginf=0.0, posinf=BINS - 1)
        bins = np.clip(share, 0, BINS - 1).astype(np.uint8)
        bins[np.isnan(values)] = BINS
        return bins

    def counts(self, features: Array | None = None) -> Array:
        """Return how many features are in each bin (BINS,), of all or of some."""
        chosen = self._bin_of if features is None else self._bin_of[features]
        return np.bincount(chosen, minlength=BINS + 1)[:BINS]

    def range_of(self, low: int, high: int) -> Range:
        """Return the bounds of the bins low … high − 1; an end of the axis is not a bound."""
        return Range(
            self.info.name,
            None if low <= 0 else float(self.edges[low]),
            None if high >= BINS else float(self.edges[high]),
        )

    def bins_of(self, bounds: Range) -> tuple[int, int]:
        """Return (low, high), the edges nearest to bounds."""
        return (
            0 if bounds.least is None else self._nearest(bounds.least),
            BINS if bounds.most is None else self._nearest(bounds.most),
        )

    def _nearest(self, value: float) -> int:
        place = int(np.searchsorted(self.edges, value))
        if place > 0 and (
            place > BINS or value - self.edges[place - 1] < self.edges[place] - value
        ):
            place -= 1
        return min(place, BINS)
