"""What TopK, BatchTopK and Matryoshka share: k active features, unit decoder rows, AuxK.

    pre = (x − b_dec)·W_encᵀ + b_enc;   x̂ = Σ kept ReLU(pre_i) W_dec,i + b_dec
    L = mean over nested groups of ‖x − x̂_group‖² + α ‖e − ê‖²

A plain dictionary is one group. e = x − x̂ is what is left over, ê its reconstruction by the
D/2 strongest features among the dead (AuxK, Gao et al., 2024); e counts as data there.
Decoder rows have norm one, and the part of their gradient along themselves is removed. A
transcoder's encoder reads x itself: b_dec lies in another space.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._linear import LinearArchitecture
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState

_LONG_RUN = 50_000
_HIGHEST_RATE = 3e-3


class KSparse(LinearArchitecture):
    """Subclasses say which entries of the pre-activations are kept."""

    settings: ClassVar[tuple[str, ...]] = ("k", "aux_weight")

    @property
    def subtracts_b_dec(self) -> bool:
        return self.reconstructs_input

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Features of the nested groups, from the innermost out; they add up to F."""
        return (self.setup.features,)

    def initialise_from(self, batch: Batch) -> None:
        super().initialise_from(batch)
        self.centre_b_dec(batch)

    @abstractmethod
    def kept(self, pre_TF: Tensor) -> Tensor:
        """Return (T, F) bool: the positive pre-activations that are kept."""

    def encode(self, x_TI: Tensor) -> Tensor:
        pre_TF = self.pre_activations(x_TI)
        return pre_TF * self.kept(pre_TF.detach())

    def loss(self, batch: Batch, state: StepState) -> Loss:
        rows = len(batch.x_TI)
        acts_TF = self.encode(batch.x_TI)
        written = self.parameters["b_dec"] + self.skipped(batch.x_TI)
        squares, error = [], batch.y_TO
        groups = zip(
            torch.split(acts_TF, list(self.group_sizes), dim=1),
            torch.split(self.parameters["W_dec"], list(self.group_sizes)),
            strict=True,
        )
        for acts, W_dec in groups:
            written = written + acts @ W_dec
            error = batch.y_TO - written
            squares.append(error.pow(2).sum() / rows)
        terms = {"reconstruction": torch.stack(squares).mean()}
        if self.setup.aux_weight and bool(state.dead_F.any()):
            terms["auxiliary"] = self.setup.aux_weight * self._auxiliary(
                batch.x_TI, error.detach(), state.dead_F
            )
        fired_F = (acts_TF.detach() > 0).sum(dim=0)
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    def _auxiliary(self, x_TI: Tensor, error_TO: Tensor, dead_F: Tensor) -> Tensor:
        """Return ‖e − ê‖², mean over rows, where the strongest dead features make ê."""
        p = self.parameters
        ids = torch.nonzero(dead_F).squeeze(1)
        pre = torch.nn.functional.linear(
            self.encoder_input(x_TI).detach(), p["W_enc"][ids], p["b_enc"][ids]
        ).relu()
        best = torch.topk(pre, min(error_TO.shape[1] // 2, len(ids)), dim=1, sorted=False)
        acts = torch.zeros_like(pre).scatter(1, best.indices, best.values)
        return (error_TO - acts @ p["W_dec"][ids]).pow(2).sum() / len(error_TO)

    def constrain_gradients(self) -> None:
        W_dec = self.parameters["W_dec"]
        if W_dec.grad is not None:
            along = torch.linalg.vecdot(W_dec.grad, W_dec.data)[:, None]
            W_dec.grad.addcmul_(along, W_dec.data, value=-1)

    def constrain_parameters(self) -> None:
        W_dec = self.parameters["W_dec"].data
        W_dec.div_(W_dec.norm(dim=1, keepdim=True).clamp_min(torch.finfo(W_dec.dtype).tiny))

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        # Falls with the square root of the dictionary's size (Gao et al., 2024). On the
        # built-in model 3e-3 reached in 500 steps an FVU of .143, 1e-3 one of .186.
        rate = 2e-4 * (2**14 / features) ** 0.5 * max(1.0, _LONG_RUN / steps) ** 0.5
        return float(min(_HIGHEST_RATE, rate))


_THRESHOLD_SHARE_OF_RUN = 0.05


class RunningThreshold:
    """The mean of the smallest kept activation over recent batches, kept in a buffer.

    With it a row's activations at inference do not depend on its batch-mates.
    """

    def __init__(self, buffers: dict[str, Tensor], setup: Setup) -> None:
        self._buffers = buffers
        buffers["threshold"] = torch.tensor(-1.0)  # none yet
        # A short run must not remember the thresholds of its beginning.
        shortest = 1 - 1 / (1 + _THRESHOLD_SHARE_OF_RUN * setup.steps)
        self._decay = min(setup.threshold_decay, shortest)

    def update(self, smallest: float) -> None:
        threshold = self._buffers["threshold"]
        if float(threshold) < 0:
            threshold.fill_(smallest)
        else:
            threshold.lerp_(torch.tensor(smallest, device=threshold.device), 1 - self._decay)

    @property
    def value(self) -> float:
        """The threshold; 0 before the first batch."""
        return max(float(self._buffers["threshold"]), 0.0)
