"""The paper's dictionary (Scaling Monosemanticity, Methods): ReLU and a norm-weighted L1.

f = ReLU(x·W_encᵀ + b_enc);   x̂ = f·W_dec + b_dec
L = E[‖x − x̂‖² + λ Σ f_i ‖W_dec,i‖₂]

Over several layers or models the norm is the sum of the parts' norms (crosscoder, Lindsey et
al., 2024): the L1 of norms lets a feature leave a part alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._l0_aim import BUFFERS, L0Controller, l1_unit
from sae_desktop.dictionary.architectures._linear import LinearArchitecture
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState
from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.precision import LowPrecision, column_sums
from sae_desktop.dictionary.selection import BlockBuffer, EncoderBlocks, positive

_PAPER_LR, _PAPER_FEATURES = 5e-5, 2**20
SPARSE_SHARE = 0.03
"""Below this share of active features, sums over the active pairs are faster than products."""
DENSE_BLOCK_BYTES = 128 * 2**20
"""Of activations held at once in the dense path …"""
FEWEST_DENSE_ROWS = 256
"""… but for the largest dictionaries, whose gradients are summed up once a block."""


class Standard(LinearArchitecture):
    """Decoder norms are free; the weight in the L1 takes away the gain of growing them."""

    title = "Standard (L1)"
    summary = "As in the paper: ReLU, with an L1 penalty weighted by the decoder’s norms."
    settings = ("sparsity", "k")
    default_sparsity = 5.0
    aims = True
    host_buffers = BUFFERS | {"active_share"}
    initial_norm = 0.1

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        super().__init__(setup, generator)
        # In a checkpoint, since it decides in which order sums are made.
        self.buffers["active_share"] = torch.ones(())
        self._aim = L0Controller(
            self.buffers, setup, l1_unit(self.parameters["W_dec"].shape[1], setup.k)
        )
        self._low = LowPrecision(setup.precision)
        self._buffers = [BlockBuffer(), BlockBuffer(), BlockBuffer()]

    def lengths_to_begin(self, W_enc_FI: Tensor) -> Tensor:
        # As they begin and stay in training: as long as the encoder's.
        norms = torch.linalg.vector_norm(W_enc_FI, dim=1)
        return torch.where(norms > 0, norms, self.initial_norm**2).sqrt()

    def led_sparsity(self, taken: float) -> float:
        return self._aim.sparsity(taken)

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

    @torch.no_grad()
    def gradients(self, batch: Batch, state: StepState) -> Loss:
        """Compute the loss and set the gradients by hand: sparsely once few features fire."""
        sparse = float(self.buffers["active_share"]) < SPARSE_SHARE
        sums = (self._sparse_sums if sparse else self._dense_sums)(batch, state)
        p, rows = self.parameters, len(batch.x_TI)
        norms_gradient = state.sparsity / rows * sums.acts_F
        p["W_enc"].grad, p["b_enc"].grad = sums.grad_W_enc, sums.grad_b_enc
        p["W_dec"].grad = self.add_norm_gradient(sums.grad_W_dec, norms_gradient)
        p["b_dec"].grad = sums.back_TO.sum(dim=0)
        if "W_skip" in p:
            p["W_skip"].grad = sums.back_TO.T @ batch.x_TI
        terms = {
            "reconstruction": sums.back_TO.square().sum() * (rows / 4),  # back is 2/T · error
            "sparsity": state.sparsity / rows * (sums.acts_F @ self.decoder_norms()),
        }
        fired_F = state.mates.summed(sums.fired_F)
        l0 = float(fired_F.sum()) / state.mates.rows(rows)
        self.buffers["active_share"].fill_(l0 / self.setup.features)
        self._aim.update(l0)
        total = terms["reconstruction"] + terms["sparsity"]
        return Loss(total, terms, fired_F, l0)

    def _sparse_sums(self, batch: Batch, state: StepState) -> _Sums:
        p, x_TI, rows, low = self.parameters, batch.x_TI, len(batch.x_TI), self.setup.precision
        W_enc, b_enc = self._low.of("W_enc", p["W_enc"]), p["b_enc"].to(low)
        kept = positive(EncoderBlocks(x_TI.to(low), W_enc, b_enc, self._buffers[0]))
        active = Active.from_flat(kept.flat, rows, self.setup.features)
        error_TO = active.decode(kept.values, p["W_dec"])
        error_TO += p["b_dec"] - batch.y_TO + self.skipped(x_TI)
        back_TO = error_TO.mul_(2 / rows)
        grad_pre = active.dots(back_TO, p["W_dec"])
        grad_pre += (state.sparsity / rows * self.decoder_norms())[active.col]
        return _Sums(
            back_TO=back_TO,
            grad_W_enc=active.gather_rows(grad_pre, x_TI),
            grad_b_enc=active.column_sums(grad_pre),
            grad_W_dec=active.gather_rows(kept.values, back_TO),
            acts_F=active.column_sums(kept.values),
            fired_F=active.counts_F,
        )

    def _dense_sums(self, batch: Batch, state: StepState) -> _Sums:
        p, rows, low = self.parameters, len(batch.x_TI), self.setup.precision
        W_enc, W_dec = self._low.of("W_enc", p["W_enc"]), self._low.of("W_dec", p["W_dec"])
        b_enc = p["b_enc"].to(low)
        penalty = (state.sparsity / rows * self.decoder_norms()).to(low)
        base_TO = p["b_dec"] - batch.y_TO + self.skipped(batch.x_TI)
        size = DENSE_BLOCK_BYTES // (self.setup.features * W_enc.element_size())
        size = max(size, FEWEST_DENSE_ROWS)
        sums = _Sums.zeros(base_TO, p["W_enc"], p["W_dec"])
        for first in range(0, rows, size):
            x = batch.x_TI[first : first + size].to(low)
            f, grad, ones = (buffer.of(len(x), len(W_enc), x) for buffer in self._buffers)
            torch.addmm(b_enc, x, W_enc.T, out=f).relu_()
            back = (base_TO[first : first + size] + f @ W_dec).mul_(2 / rows)
            sums.back_TO[first : first + size] = back
            back = back.to(low)
            torch.addmm(penalty, back, W_dec.T, out=grad)
            torch.ops.aten.threshold_backward.grad_input(grad, f, 0, grad_input=grad)
            sums.grad_W_enc += grad.T @ x
            sums.grad_b_enc += column_sums(grad)
            sums.grad_W_dec += f.T @ back
            sums.acts_F += column_sums(f)
            sums.fired_F += column_sums(torch.sign(f, out=ones)).long()
        return sums

    @staticmethod
    def step_bytes(features: int, rows: int, element: int) -> int:
        block = max(DENSE_BLOCK_BYTES // (features * element), FEWEST_DENSE_ROWS)
        return 3 * min(rows, block) * features * element

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        # The paper's rate for a million features; the optimum falls with compute.
        return float(min(2e-3, _PAPER_LR * (_PAPER_FEATURES / features) ** 0.5))


@dataclass
class _Sums:
    """What a step needs of a batch, summed over its rows."""

    back_TO: Tensor
    """2/T · (x̂ − y)."""
    grad_W_enc: Tensor
    grad_b_enc: Tensor
    grad_W_dec: Tensor
    """Without the part of the norms."""
    acts_F: Tensor
    """Σ f."""
    fired_F: Tensor

    @classmethod
    def zeros(cls, like_TO: Tensor, W_enc: Tensor, W_dec: Tensor) -> _Sums:
        numbers = W_enc.new_zeros(len(W_enc))
        return cls(
            back_TO=torch.empty_like(like_TO),
            grad_W_enc=torch.zeros_like(W_enc),
            grad_b_enc=numbers,
            grad_W_dec=torch.zeros_like(W_dec),
            acts_F=numbers.clone(),
            fired_F=numbers.long(),
        )
