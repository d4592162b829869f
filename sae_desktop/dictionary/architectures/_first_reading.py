"""The first of two readings of a batch, and the gradients that reach it through the second.

    a⁰ = kept(x·W_encᵀ + b_enc),   r = x − a⁰·W_dec,   the second reading is of x + η·r

where x has b_dec taken away. Since r·W_encᵀ is added to the pre-activations, one step of LISTA is
one more dense product, on changed rows; all else is over the pairs that were kept. One gradient
goes through both readings.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.selection import Kept


class FirstReading:
    """What the first reading kept of rows x (T, I) without b_dec."""

    def __init__(
        self, x_TI: Tensor, kept: Kept, parameters: Mapping[str, Tensor], step: float
    ) -> None:
        """Take the pairs kept; `step` is η."""
        self._x, self._values, self._p, self._step = x_TI, kept.values, parameters, step
        self._active = Active.from_flat(kept.flat, len(x_TI), len(parameters["W_enc"]))
        written = self._active.decode(kept.values, parameters["W_dec"])
        self.read_TI = torch.add(x_TI, x_TI - written, alpha=step)
        """(T, I): what the second reading reads."""

    def add_gradients(self, active: Active, grad_values: Tensor) -> None:
        """Add what the second reading's kept pairs, with gradients (nnz,), ask of the first.

        To the gradients of W_enc, b_enc, W_dec and b_dec; that of b_dec without the part that
        goes with b_enc's.
        """
        p = self._p
        back_TI = active.decode(grad_values, p["W_enc"]).mul_(self._step)
        grad_first = self._active.dots(back_TI, p["W_dec"]).neg_()
        for name, grad in (
            ("W_dec", self._active.gather_rows(self._values, back_TI).neg_()),
            ("W_enc", self._active.gather_rows(grad_first, self._x)),
            ("b_enc", self._active.column_sums(grad_first)),
            ("b_dec", back_TI.sum(dim=0).neg_()),
        ):
            whole = p[name].grad
            assert whole is not None  # set just before
            whole += grad
