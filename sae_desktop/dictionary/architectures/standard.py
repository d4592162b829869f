"""The paper's dictionary (Scaling Monosemanticity, Methods): ReLU and a norm-weighted L1.

f = ReLU(x·W_encᵀ + b_enc);   x̂ = f·W_dec + b_dec
L = E[‖x − x̂‖² + λ Σ f_i ‖W_dec,i‖₂]

Over several layers or models the norm is the sum of the parts' norms (crosscoder, Lindsey et
al., 2024): the L1 of norms lets a feature leave a part alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._linear import LinearArchitecture
from sae_desktop.dictionary.architectures.base import Batch, Loss, StepState

_PAPER_LR, _PAPER_FEATURES = 5e-5, 2**20


class Standard(LinearArchitecture):
    """Decoder norms are free; the weight in the L1 takes away the gain of growing them."""

    title = "Standard (L1)"
    summary = "The paper’s: ReLU, and an L1 weighted by the decoder’s norms."
    settings = ("sparsity",)
    default_sparsity = 5.0
    initial_norm = 0.1

    def encode(self, x_TI: Tensor) -> Tensor:
        return torch.relu(self.pre_activations(x_TI))

    def loss(self, batch: Batch, state: StepState) -> Loss:
        f_TF = self.encode(batch.x_TI)
        error = self.decode(f_TF, batch.x_TI) - batch.y_TO
        rows = len(error)
        terms = {
            "reconstruction": error.pow(2).sum() / rows,
            "sparsity": state.sparsity * (f_TF @ self.decoder_norms()).sum() / rows,
        }
        fired_F = (f_TF.detach() > 0).sum(dim=0)
        total = terms["reconstruction"] + terms["sparsity"]
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        # The paper's rate for a million features; the optimum falls with compute.
        return float(min(2e-3, _PAPER_LR * (_PAPER_FEATURES / features) ** 0.5))
