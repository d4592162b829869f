"""The paper's dictionary (Scaling Monosemanticity, Methods): ReLU and a norm-weighted L1.

f = ReLU(x·W_encᵀ + b_enc);   x̂ = f·W_dec + b_dec
L = E[‖x − x̂‖² + λ Σ f_i ‖W_dec,i‖₂]
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures.base import (
    Architecture,
    Loss,
    Setup,
    StepState,
    random_directions,
)
from sae_desktop.dictionary.dictionary import Dictionary

INITIAL_NORM = 0.1
"""Norm of the decoder directions at the start."""

_PAPER_LR, _PAPER_FEATURES = 5e-5, 2**20


class Standard(Architecture):
    """Decoder norms are free; the weight in the L1 takes away the gain of growing them."""

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        W_dec = INITIAL_NORM * random_directions(setup.features, setup.width, generator)
        self.parameters = {
            "W_enc": W_dec.clone(),  # (F, D): W_enc = W_decᵀ, kept transposed
            "b_enc": torch.zeros(setup.features),
            "W_dec": W_dec,
            "b_dec": torch.zeros(setup.width),
        }
        self.buffers = {}

    def initialise_from(self, sample_TD: Tensor) -> None:
        del sample_TD  # the recipe begins with biases of 0

    def loss(self, x_TD: Tensor, state: StepState) -> Loss:
        p = self.parameters
        f_TF = torch.relu(torch.nn.functional.linear(x_TD, p["W_enc"], p["b_enc"]))
        error = torch.addmm(p["b_dec"], f_TF, p["W_dec"]) - x_TD
        norms = p["W_dec"].norm(dim=1)
        # Σ_t Σ_i f_ti‖W_i‖ = (Σ_t f_t)·‖W‖: one product of F numbers in place of T × F.
        sparsity = f_TF.sum(dim=0) @ norms / len(x_TD)
        total = error.pow(2).sum() / len(x_TD) + state.sparsity_coefficient * sparsity
        fired_F = (f_TF.detach() > 0).sum(dim=0)
        return Loss(total, fired_F, float(fired_F.sum()) / len(x_TD))

    def folded(self, scalar: float) -> Dictionary:
        p = {name: tensor.detach() for name, tensor in self.parameters.items()}
        norms = p["W_dec"].norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
        return Dictionary(
            W_enc=(p["W_enc"] * norms[:, None]).T.contiguous(),
            b_enc=p["b_enc"] * norms / scalar,
            W_dec=p["W_dec"] / norms[:, None],
            b_dec=p["b_dec"] / scalar,
        )

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        # The paper's rate for a million features; the optimum falls with compute.
        return float(min(2e-3, _PAPER_LR * (_PAPER_FEATURES / features) ** 0.5))
