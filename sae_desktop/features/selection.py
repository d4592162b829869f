"""Choosing, feature by feature, which places of the corpus to show. R rows, F features, K kept."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class ActivePlaces(NamedTuple):
    """The active (row, feature) pairs (n,) of a block, rows counted from its first."""

    row: Tensor
    feature: Tensor
    value: Tensor

    @classmethod
    def of(cls, acts_RF: Tensor) -> ActivePlaces:
        row, feature = torch.nonzero(acts_RF, as_tuple=True)
        return cls(row, feature, acts_RF[row, feature])


class TopPlaces:
    """The K strongest places of every feature, at most one a window."""

    def __init__(self, features: int, count: int, device: torch.device) -> None:
        self.values = torch.zeros(features, count, device=device)
        self.rows = torch.full((features, count), -1, dtype=torch.int64, device=device)

    def update(self, active: ActivePlaces, first_row: int, window_of_R: Tensor) -> None:
        """Take a block of rows; `window_of_R` (R,) numbers their windows from 0, ascending."""
        features = len(self.values)
        cells = (int(window_of_R[-1]) + 1) * features
        cell = window_of_R[active.row] * features + active.feature
        peaks = active.value.new_zeros(cells).scatter_reduce_(0, cell, active.value, "amax")
        at_peak = active.value == peaks[cell]
        rows = torch.full((cells,), len(window_of_R), device=cell.device)
        rows.scatter_reduce_(0, cell[at_peak], active.row[at_peak], "amin")
        peaks_WF, rows_WF = peaks.view(-1, features), rows.view(-1, features)
        count = min(self.values.shape[1], len(peaks_WF))
        best = torch.topk(peaks_WF, count, dim=0)
        self._merge(best.values.T, rows_WF.gather(0, best.indices).T + first_row)

    def _merge(self, values: Tensor, rows: Tensor) -> None:
        both = torch.cat([self.values, values], dim=1)
        places = torch.cat([self.rows, torch.where(values > 0, rows, -1)], dim=1)
        # Stable, so that of equal activations the earlier place stays.
        order = torch.sort(both, dim=1, descending=True, stable=True).indices
        order = order[:, : self.values.shape[1]]
        self.values = both.gather(1, order)
        self.rows = places.gather(1, order)


class BucketSamples:
    """K random places of every feature in each of B buckets spaced linearly up to its maximum."""

    def __init__(
        self, maxima_F: Tensor, buckets: int, count: int, generator: torch.Generator
    ) -> None:
        self._maxima_F = maxima_F
        self._buckets = buckets
        self._generator = generator
        shape = (len(maxima_F) * buckets, count)
        self.rows = torch.full(shape, -1, dtype=torch.int64, device=maxima_F.device)
        # A place's key is random; each bucket keeps the places of the largest keys.
        self._keys = torch.zeros(shape, device=maxima_F.device)

    def update(self, active: ActivePlaces, first_row: int) -> None:
        """Take a block's active places."""
        row, feature, value = active.row + first_row, active.feature, active.value
        bucket = torch.ceil(value / self._maxima_F[feature] * self._buckets).long() - 1
        cell = feature * self._buckets + bucket.clamp(0, self._buckets - 1)
        keys = torch.rand(len(cell), generator=self._generator).to(cell.device)
        order = torch.argsort(keys, descending=True)
        order = order[torch.argsort(cell[order], stable=True)]
        cell, row, keys = cell[order], row[order], keys[order]
        starts = torch.searchsorted(cell, torch.arange(len(self.rows), device=cell.device))
        rank = torch.arange(len(cell), device=cell.device) - starts[cell]
        first = rank < self.rows.shape[1]
        cell, row, keys, rank = cell[first], row[first], keys[first], rank[first]
        touched, place = torch.unique_consecutive(cell, return_inverse=True)
        width = self.rows.shape[1]
        new_keys = torch.zeros(len(touched), width, device=cell.device)
        new_rows = torch.full((len(touched), width), -1, dtype=torch.int64, device=cell.device)
        new_keys[place, rank], new_rows[place, rank] = keys, row
        both = torch.cat([self._keys[touched], new_keys], dim=1)
        rows = torch.cat([self.rows[touched], new_rows], dim=1)
        best = torch.topk(both, width, dim=1)
        self._keys[touched] = best.values
        self.rows[touched] = rows.gather(1, best.indices)

    def by_bucket(self) -> Tensor:
        """Return (F, B, K) row numbers, −1 where there was no further place."""
        return self.rows.view(len(self._maxima_F), self._buckets, -1)
