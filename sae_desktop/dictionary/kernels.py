"""Sparse encode and decode with hand-written gradients.

A batch of T rows has nnz active (row, feature) pairs, kept as CSR: `crow` (T + 1,), `col`
(nnz,), row-major. Only these take part in the backward pass, so of the six matrix products
of a dense dictionary step one is left: the encoder's pre-activations.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")


@dataclass(frozen=True)
class Active:
    """Which features are active in which rows, in row order and in feature order."""

    rows: int
    """T."""
    features: int
    """F."""
    crow: Tensor
    """(T + 1,) int64: the pairs of row t are crow[t] … crow[t + 1] − 1."""
    row: Tensor
    """(nnz,) int64, ascending."""
    col: Tensor
    """(nnz,) int64: features, ascending within a row."""

    @classmethod
    def from_flat(cls, flat: Tensor, rows: int, features: int) -> Active:
        """Build from ascending flat indices row·F + feature."""
        row = torch.div(flat, features, rounding_mode="floor")
        return cls(rows, features, _starts(row, rows), row, flat - row * features)

    @cached_property
    def counts_F(self) -> Tensor:
        """(F,) int64: rows on which each feature is active."""
        return torch.bincount(self.col, minlength=self.features)

    @cached_property
    def _by_feature(self) -> tuple[Tensor, Tensor, Tensor]:
        """Feature starts (F + 1,), rows (nnz,), and the pairs' places in row order (nnz,)."""
        order = torch.argsort(self.col.int(), stable=True)
        return _starts(self.col, self.features), self.row[order], order

    def matrix(self, values: Tensor) -> Tensor:
        """Return the sparse (T, F) matrix of these pair values."""
        size = (self.rows, self.features)
        return torch.sparse_csr_tensor(
            self.crow, self.col, values, size=size, check_invariants=False
        )

    def transposed(self, values: Tensor) -> Tensor:
        """Return the sparse (F, T) matrix of these pair values."""
        starts, row, order = self._by_feature
        size = (self.features, self.rows)
        return torch.sparse_csr_tensor(
            starts, row, values[order], size=size, check_invariants=False
        )


def _starts(numbers: Tensor, count: int) -> Tensor:
    starts = torch.zeros(count + 1, dtype=torch.int64, device=numbers.device)
    torch.cumsum(torch.bincount(numbers, minlength=count), 0, out=starts[1:])
    return starts


def _pair_dots(active: Active, left_TD: Tensor, right_FD: Tensor) -> Tensor:
    """Return left[row]·right[col] for every active pair, (nnz,)."""
    zero = active.matrix(torch.zeros_like(active.col, dtype=left_TD.dtype))
    dots: Tensor = torch.sparse.sampled_addmm(zero, left_TD, right_FD.T, beta=0.0).values()
    return dots


class _SparseDecode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, W_dec_FD: Tensor, active: Active) -> Tensor:
        ctx.save_for_backward(values, W_dec_FD)
        ctx.active = active
        return active.matrix(values) @ W_dec_FD

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad_TD,) = grads
        values, W_dec_FD = ctx.saved_tensors
        grad_values = _pair_dots(ctx.active, grad_TD, W_dec_FD)
        grad_W_dec = ctx.active.transposed(values) @ grad_TD
        return grad_values, grad_W_dec, None


class _GatherPreActivations(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, pre_TF: Tensor, x_TD: Tensor, W_enc_FD: Tensor, bias_F: Tensor, active: Active
    ) -> Tensor:
        ctx.save_for_backward(x_TD)
        ctx.active = active
        return pre_TF[active.row, active.col]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor, Tensor, None]:
        (grad_values,) = grads
        (x_TD,) = ctx.saved_tensors
        grad_W_enc = ctx.active.transposed(grad_values) @ x_TD
        grad_bias = torch.zeros(
            ctx.active.features, dtype=grad_values.dtype, device=grad_values.device
        )
        grad_bias.index_add_(0, ctx.active.col, grad_values)
        return None, None, grad_W_enc, grad_bias, None


def sparse_decode(values: Tensor, active: Active, W_dec_FD: Tensor) -> Tensor:
    """Return Σ values·W_dec over the active pairs, (T, D); differentiable in both."""
    out: Tensor = _SparseDecode.apply(values, W_dec_FD, active)  # type: ignore[no-untyped-call]
    return out


def gather_pre_activations(
    pre_TF: Tensor, x_TD: Tensor, W_enc_FD: Tensor, bias_F: Tensor, active: Active
) -> Tensor:
    """Return the active entries (nnz,) of pre = x·W_encᵀ + bias, computed beforehand.

    Differentiable in W_enc and bias; x is data and gets no gradient.
    """
    out: Tensor = _GatherPreActivations.apply(  # type: ignore[no-untyped-call]
        pre_TF, x_TD, W_enc_FD, bias_F, active
    )
    return out


def largest_positive(pre_TF: Tensor, count: int, hint: float) -> tuple[Tensor, float]:
    """Find the `count` largest positive entries of the whole matrix.

    `hint` is a guess of the smallest of them: with a good one, only the few entries above
    it are ranked. Returns (ascending flat indices, the smallest value chosen); fewer when
    fewer are positive. The result does not depend on the hint.
    """
    flat = pre_TF.reshape(-1)
    floor = max(hint, 0.0)
    candidates = torch.nonzero(flat > floor).squeeze(1)
    if len(candidates) < count and floor > 0:
        candidates = torch.nonzero(flat > 0).squeeze(1)
    values = flat[candidates]
    if len(candidates) > count:
        smallest = torch.topk(values, count, sorted=False).values.min()
        keep = values > smallest
        ties = torch.nonzero(values == smallest).squeeze(1)
        keep[ties[: count - int(keep.sum())]] = True
        return candidates[keep], float(smallest)
    return candidates, float(values.min()) if len(values) else 0.0
