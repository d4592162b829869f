"""BatchTopK (Bussmann et al., 2024): the k·T largest activations of a batch of T rows.

    pre = (x − b_dec)·W_encᵀ + b_enc;   x̂ = Σ kept ReLU(pre_i) W_dec,i + b_dec

Decoder rows have norm one, and the part of their gradient along themselves is removed.
Features that fell silent learn from the error that the others leave (AuxK, Gao et al.,
2024). Inference uses a threshold, so that a row's activations do not depend on the batch.
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
from sae_desktop.dictionary.kernels import (
    Active,
    gather_pre_activations,
    largest_positive,
    sparse_decode,
)
from sae_desktop.dictionary.normalisation import geometric_median

AUX_WEIGHT = 1 / 32
THRESHOLD_DECAY = 0.999
_THRESHOLD_SHARE_OF_RUN = 0.05
# How far below the last smallest kept value the next one is looked for.
_HINT = 0.8
_LONG_RUN = 50_000
_HIGHEST_RATE = 3e-3


class BatchTopK(Architecture):
    """`buffers["threshold"]`: mean of the smallest kept activation, −1 before the first step."""

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        self._k = setup.k
        W_dec = random_directions(setup.features, setup.width, generator)
        self.parameters = {
            "W_enc": W_dec.clone(),  # (F, D)
            "b_enc": torch.zeros(setup.features),
            "W_dec": W_dec,
            "b_dec": torch.zeros(setup.width),
        }
        self.buffers = {"threshold": torch.tensor(-1.0)}
        # A short run must not remember the thresholds of its beginning.
        self._decay = min(THRESHOLD_DECAY, 1 - 1 / (1 + _THRESHOLD_SHARE_OF_RUN * setup.steps))
        self._hint = 0.0

    def initialise_from(self, sample_TD: Tensor) -> None:
        self.parameters["b_dec"].data.copy_(geometric_median(sample_TD))

    def loss(self, x_TD: Tensor, state: StepState) -> Loss:
        p = self.parameters
        rows, features = len(x_TD), len(p["b_enc"])
        centred_TD = x_TD - p["b_dec"]
        with torch.no_grad():
            pre_TF = torch.nn.functional.linear(centred_TD, p["W_enc"], p["b_enc"])
            flat, smallest = largest_positive(pre_TF, self._k * rows, self._hint)
            self._hint = _HINT * smallest
            active = Active.from_flat(flat, rows, features)
            self._update_threshold(smallest)
        # pre depends on b_dec through the bias: b_enc − W_enc·b_dec.
        bias_F = p["b_enc"] - p["W_enc"].detach() @ p["b_dec"]
        values = gather_pre_activations(pre_TF, centred_TD.detach(), p["W_enc"], bias_F, active)
        error_TD = x_TD - sparse_decode(values, active, p["W_dec"]) - p["b_dec"]
        total = error_TD.pow(2).sum() / rows
        if bool(state.dead_F.any()):
            total = total + AUX_WEIGHT * self._auxiliary(centred_TD, error_TD, state.dead_F)
        return Loss(total, active.counts_F, len(active.col) / rows)

    def _auxiliary(self, centred_TD: Tensor, error_TD: Tensor, dead_F: Tensor) -> Tensor:
        """‖e − ê‖² where ê is the error's reconstruction by the D/2 strongest dead features."""
        p = self.parameters
        ids = torch.nonzero(dead_F).squeeze(1)
        pre = torch.nn.functional.linear(
            centred_TD.detach(), p["W_enc"][ids], p["b_enc"][ids]
        ).relu()
        count = min(centred_TD.shape[1] // 2, len(ids))
        kept = torch.topk(pre, count, dim=1, sorted=False)
        sparse = torch.zeros_like(pre).scatter(1, kept.indices, kept.values)
        error = error_TD.detach() - sparse @ p["W_dec"][ids]
        return error.pow(2).sum() / len(error)

    def _update_threshold(self, smallest: float) -> None:
        threshold = self.buffers["threshold"]
        if float(threshold) < 0:
            threshold.fill_(smallest)
        else:
            threshold.lerp_(torch.tensor(smallest, device=threshold.device), 1 - self._decay)

    def constrain_gradients(self) -> None:
        W_dec = self.parameters["W_dec"]
        if W_dec.grad is not None:
            along = (W_dec.grad * W_dec.data).sum(dim=1, keepdim=True)
            W_dec.grad.addcmul_(along, W_dec.data, value=-1)

    def constrain_parameters(self) -> None:
        W_dec = self.parameters["W_dec"].data
        W_dec.div_(W_dec.norm(dim=1, keepdim=True).clamp_min(torch.finfo(W_dec.dtype).tiny))

    def folded(self, scalar: float) -> Dictionary:
        p = {name: tensor.detach() for name, tensor in self.parameters.items()}
        b_dec = p["b_dec"] / scalar
        threshold = max(float(self.buffers["threshold"]), 0.0) / scalar
        return Dictionary(
            W_enc=p["W_enc"].T.contiguous(),
            b_enc=p["b_enc"] / scalar - p["W_enc"] @ b_dec,
            W_dec=p["W_dec"].clone(),
            b_dec=b_dec,
            threshold=torch.full_like(p["b_enc"], threshold),
        )

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        # Falls with the square root of the dictionary's size (Gao et al., 2024). On the
        # built-in model 3e-3 reached in 500 steps an FVU of .143, 1e-3 one of .186.
        rate = 2e-4 * (2**14 / features) ** 0.5 * max(1.0, _LONG_RUN / steps) ** 0.5
        return float(min(_HIGHEST_RATE, rate))
