"""Decoder rows of norm one, held there step by step."""

from __future__ import annotations

import torch

from sae_desktop.dictionary.architectures._linear import LinearArchitecture


class UnitDecoder(LinearArchitecture):
    """The part of the gradient along a row is removed, and rows are made units again.

    Over several parts the whole row has norm one, the parts' rows side by side.
    """

    def constrain_gradients(self) -> None:
        W_dec = self.parameters["W_dec"]
        if W_dec.grad is not None:
            along = torch.linalg.vecdot(W_dec.grad, W_dec.data)[:, None]
            W_dec.grad.addcmul_(along, W_dec.data, value=-1)

    def constrain_parameters(self) -> None:
        W_dec = self.parameters["W_dec"].data
        W_dec.div_(W_dec.norm(dim=1, keepdim=True).clamp_min(torch.finfo(W_dec.dtype).tiny))
