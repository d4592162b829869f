"""ReLU with a logarithmic penalty: large activations cost hardly more than middling ones.

f = ReLU(x·W_encᵀ + b_enc);   x̂ = f·W_dec + b_dec
L = E[‖x − x̂‖² + λ Σ log(1 + f_i ‖W_dec,i‖₂)]
"""

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import Batch, LinearArchitecture, Loss, StepState


class LogPenalty(LinearArchitecture):
    plugin_api = 1
    title = "Logarithmic penalty"
    summary = "ReLU, with a penalty that grows with the logarithm of an activation."
    settings = ("sparsity",)
    default_sparsity = 2.0
    initial_norm = 0.1

    def encode(self, x_TI: Tensor) -> Tensor:
        return torch.relu(self.pre_activations(x_TI))

    def loss(self, batch: Batch, state: StepState) -> Loss:
        f_TF = self.encode(batch.x_TI)
        error = self.decode(f_TF, batch.x_TI) - batch.y_TO
        rows = len(error)
        cost = torch.log1p(f_TF * self.decoder_norms()).sum() / rows
        terms = {"reconstruction": error.pow(2).sum() / rows, "sparsity": state.sparsity * cost}
        fired_F = (f_TF.detach() > 0).sum(dim=0)
        total = terms["reconstruction"] + terms["sparsity"]
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del features, steps
        return 1e-3
