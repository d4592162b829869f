"""Decoder rows of norm one, kept that way at each step."""

from __future__ import annotations

import torch

from sae_desktop.dictionary.architectures._linear import LinearArchitecture

_ROWS_AT_ONCE = 2**13


class UnitDecoder(LinearArchitecture):
    """The part of the gradient along a row is removed, and rows are made units again.

    Over several parts the whole row has norm one, the parts' rows side by side.
    """

    def constrain_gradients(self) -> None:
        W_dec = self.parameters["W_dec"]
        if W_dec.grad is None:
            return
        # In pieces: the product of the two is as large as either.
        pieces = zip(
            torch.split(W_dec.grad, _ROWS_AT_ONCE),
            torch.split(W_dec.data, _ROWS_AT_ONCE),
            strict=True,
        )
        for grad, W in pieces:
            grad.addcmul_(torch.linalg.vecdot(grad, W)[:, None], W, value=-1)

    def constrain_parameters(self) -> None:
        W_dec = self.parameters["W_dec"].data
        norms = torch.linalg.vector_norm(W_dec, dim=1, keepdim=True)
        W_dec.div_(norms.clamp_min_(torch.finfo(W_dec.dtype).tiny))
