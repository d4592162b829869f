"""Products with sparse activations, without a dense (T, F) intermediate.

A batch of T rows has nnz active (row, feature) pairs. Sums over them are weighted bags of
rows of a matrix, for which every backend has a kernel; on a CPU it is four times as fast as
a product in CSR form. None of these is differentiated: gradients are written by hand where
they are used.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sae_desktop.devices.abilities import has_sampled_product, is_host

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

_PAIRS_AT_ONCE = 2**14


@dataclass(frozen=True)
class Active:
    """Which features are active in which rows: pairs in row order."""

    rows: int
    """T."""
    features: int
    """F."""
    row: Tensor
    """(nnz,) int64, ascending."""
    col: Tensor
    """(nnz,) int64: features, ascending within a row."""

    @classmethod
    def from_flat(cls, flat: Tensor, rows: int, features: int) -> Active:
        """Build from ascending flat indices row·F + feature."""
        row = torch.div(flat, features, rounding_mode="floor")
        return cls(rows, features, row, flat - row * features)

    @cached_property
    def counts_F(self) -> Tensor:
        """(F,) int64: rows on which each feature is active."""
        return counted(self.col, self.features)

    @cached_property
    def row_starts(self) -> Tensor:
        """(T,) int64: where the pairs of each row begin."""
        return _starts(counted(self.row, self.rows))

    @cached_property
    def _by_feature(self) -> tuple[Tensor, Tensor, Tensor]:
        """Feature starts (F,), rows (nnz,), and the pairs' places in row order (nnz,)."""
        order = torch.argsort(self.col.int(), stable=True)
        return _starts(self.counts_F), self.row[order], order

    def decode(self, values: Tensor, W_FO: Tensor) -> Tensor:
        """Return Σ values·W[feature] over each row's pairs, (T, O)."""
        return torch.nn.functional.embedding_bag(
            self.col, W_FO, self.row_starts, mode="sum", per_sample_weights=values
        )

    def gather_rows(self, values: Tensor, x_TD: Tensor) -> Tensor:
        """Return Σ values·x[row] over each feature's pairs, (F, D)."""
        starts, row, order = self._by_feature
        return torch.nn.functional.embedding_bag(
            row, x_TD, starts, mode="sum", per_sample_weights=values[order]
        )

    def dots(self, left_TD: Tensor, right_FD: Tensor) -> Tensor:
        """Return left[row]·right[feature] for every pair, (nnz,)."""
        if not has_sampled_product(left_TD.device):
            return self._dots_in_pieces(left_TD, right_FD)
        crow = torch.cat([self.row_starts, self.row_starts.new_full((1,), len(self.col))])
        zero = torch.sparse_csr_tensor(
            crow,
            self.col,
            left_TD.new_zeros(len(self.col)),
            size=(self.rows, self.features),
            check_invariants=False,
        )
        dots: Tensor = torch.sparse.sampled_addmm(zero, left_TD, right_FD.T, beta=0.0).values()
        return dots

    def _dots_in_pieces(self, left_TD: Tensor, right_FD: Tensor) -> Tensor:
        rows, cols = torch.split(self.row, _PAIRS_AT_ONCE), torch.split(self.col, _PAIRS_AT_ONCE)
        pieces = zip(rows, cols, strict=True)
        return torch.cat([torch.linalg.vecdot(left_TD[r], right_FD[c]) for r, c in pieces])

    def column_sums(self, values: Tensor) -> Tensor:
        """Return Σ values over each feature's pairs, (F,)."""
        return values.new_zeros(self.features).index_add_(0, self.col, values)


def counted(ids: Tensor, size: int) -> Tensor:
    """Return (size,) int64: how often each number below `size` is among ids (n,)."""
    if is_host(ids.device):
        return torch.bincount(ids, minlength=size)
    # On a card `bincount` lets the host wait for the largest number.
    ones = torch.ones(len(ids), dtype=torch.int32, device=ids.device)
    return torch.zeros(size, dtype=torch.int32, device=ids.device).index_add_(0, ids, ones).long()


def _starts(counts: Tensor) -> Tensor:
    return torch.cumsum(counts, 0) - counts
