"""Gated dictionaries (Rajamanoharan et al., 2024): whether a feature is on, and how much, apart.

    π = (x − b_dec)·W_encᵀ + b_enc                                 (the gate)
    f = 1[π > 0] ⊙ ReLU(exp(r_mag) ⊙ (x − b_dec)·W_encᵀ + b_mag)   (the magnitude)
    L = ‖x − x̂(f)‖² + λ Σ ReLU(π_i) + ‖x − x̂_frozen(ReLU(π))‖²

The L1 falls on the gate alone, so magnitudes do not shrink. The gate learns from the last
term, whose decoder is a frozen copy. Decoder rows have norm one. With tied weights the gate is
a threshold on the magnitude, b_mag − exp(r_mag)·b_enc, and so a Gated dictionary folds exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._blocks import block_step_bytes, gradients_in_blocks
from sae_desktop.dictionary.architectures._l0_aim import BUFFERS, L0Controller, l1_unit
from sae_desktop.dictionary.architectures._linear import fold
from sae_desktop.dictionary.architectures._unit_decoder import UnitDecoder
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState
from sae_desktop.dictionary.architectures.standard import SPARSE_SHARE
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.precision import LowPrecision
from sae_desktop.dictionary.selection import BlockBuffer, EncoderBlocks, positive

_LR, _LR_FEATURES = 5e-5, 2**20


class Gated(UnitDecoder):
    """`b_enc` is the gate's bias, b_gate in the paper."""

    title = "Gated"
    summary = "A gate decides which features are on; only the gate pays for sparsity."
    settings = ("sparsity", "k", "leave_one_out")
    default_sparsity = 5.0
    aims = True
    host_buffers = BUFFERS | {"open_share"}

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        super().__init__(setup, generator)
        self.parameters["r_mag"] = torch.zeros(setup.features)
        self.parameters["b_mag"] = torch.zeros(setup.features)
        # In a checkpoint, since it decides in which order sums are made.
        self.buffers["open_share"] = torch.ones(())
        self._aim = L0Controller(
            self.buffers, setup, l1_unit(self.parameters["W_dec"].shape[1], setup.k)
        )
        self._low = LowPrecision(setup.precision)
        self._buffer = BlockBuffer()

    def take_threshold(self, threshold: Tensor | None) -> None:
        # Gate and magnitude read alike: the gate's bias is lower by the threshold.
        p = self.parameters
        p["b_mag"].copy_(p["b_enc"])
        p["r_mag"].zero_()
        if threshold is not None:
            p["b_enc"].sub_(threshold)

    @property
    def subtracts_b_dec(self) -> bool:
        return self.reconstructs_input

    def led_sparsity(self, taken: float) -> float:
        return self._aim.sparsity(taken)

    def encode(self, x_TI: Tensor) -> Tensor:
        return self._activations(self.pre_activations(x_TI))

    def _activations(self, gate_TF: Tensor) -> Tensor:
        p = self.parameters
        magnitude_TF = (gate_TF - p["b_enc"]) * p["r_mag"].exp() + p["b_mag"]
        return torch.where(gate_TF > 0, magnitude_TF.relu(), 0.0)

    def loss(self, batch: Batch, state: StepState) -> Loss:
        p, rows = self.parameters, len(batch.x_TI)
        gate_TF = self.pre_activations(batch.x_TI)
        f_TF = self._activations(gate_TF)
        error = self.decode(f_TF, batch.x_TI) - batch.y_TO
        open_TF = gate_TF.relu()
        frozen = p["b_dec"].detach() + open_TF @ p["W_dec"].detach()
        skipped = self.skipped(batch.x_TI)
        frozen = frozen + (skipped.detach() if isinstance(skipped, Tensor) else skipped)
        terms = {
            "reconstruction": error.pow(2).sum() / rows,
            "sparsity": state.sparsity * (open_TF @ self._weights()).sum() / rows,
            "auxiliary": (frozen - batch.y_TO).pow(2).sum() / rows,
        }
        fired_F = (f_TF.detach() > 0).sum(dim=0)
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    def gradients(self, batch: Batch, state: StepState) -> Loss:
        """Compute the loss and the gradients: sparsely once few gates are open."""
        if float(self.buffers["open_share"]) < SPARSE_SHARE:
            loss = self._sparse_gradients(batch, state)
        else:
            loss = gradients_in_blocks(self, self.setup.features, batch, state)
            self._remember_open(loss.l0)
        self._aim.update(loss.l0)
        return loss

    def _remember_open(self, per_row: float) -> None:
        self.buffers["open_share"].fill_(per_row / self.setup.features)

    @torch.no_grad()
    def _sparse_gradients(self, batch: Batch, state: StepState) -> Loss:
        """By hand, from the open gates alone: one dense product, the encoder's."""
        p, rows, low = self.parameters, len(batch.x_TI), self.setup.precision
        x_TI = self.encoder_input(batch.x_TI)
        W_enc = self._low.of("W_enc", p["W_enc"])
        kept = positive(EncoderBlocks(x_TI.to(low), W_enc, p["b_enc"].to(low), self._buffer))
        active = Active.from_flat(kept.flat, rows, self.setup.features)
        gate, gain = kept.values, p["r_mag"].exp()[active.col]
        projected = (gate - p["b_enc"][active.col]) * gain
        f = (projected + p["b_mag"][active.col]).relu_()
        base_TO = p["b_dec"] - batch.y_TO + self.skipped(batch.x_TI)
        # Of the reconstruction and of the frozen one: 2/T · error.
        back_TO = (active.decode(f, p["W_dec"]) + base_TO).mul_(2 / rows)
        frozen_TO = (active.decode(gate, p["W_dec"]) + base_TO).mul_(2 / rows)
        grad_f = active.dots(back_TO, p["W_dec"]) * (f > 0)
        paid = state.sparsity / rows * self._weights()
        grad_gate = active.dots(frozen_TO, p["W_dec"]) + paid[active.col]
        grad_pre = grad_gate + grad_f * gain

        p["W_enc"].grad = active.gather_rows(grad_pre, x_TI)
        p["b_enc"].grad = active.column_sums(grad_gate)
        p["b_mag"].grad = active.column_sums(grad_f)
        p["r_mag"].grad = active.column_sums(grad_f * projected)
        open_F = active.column_sums(gate)
        p["W_dec"].grad = active.gather_rows(f, back_TO)
        if len(self.setup.parts) > 1:
            self.add_norm_gradient(p["W_dec"].grad, state.sparsity / rows * open_F)
        p["b_dec"].grad = back_TO.sum(dim=0)
        if self.subtracts_b_dec:
            p["b_dec"].grad -= active.column_sums(grad_pre) @ p["W_enc"]
        if "W_skip" in p:
            p["W_skip"].grad = back_TO.T @ batch.x_TI
        terms = {
            "reconstruction": back_TO.square().sum() * (rows / 4),
            "sparsity": open_F @ paid,
            "auxiliary": frozen_TO.square().sum() * (rows / 4),
        }
        self._remember_open(state.mates.per_row(len(gate), rows))
        fired_F = state.mates.summed(active.column_sums((f > 0).float()).long())
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / state.mates.rows(rows))

    def _weights(self) -> Tensor:
        """Return (F,): 1, or in a crosscoder the sum of the parts' norms."""
        if len(self.setup.parts) > 1:
            return self.decoder_norms()
        return torch.ones_like(self.parameters["b_enc"].detach())

    def folded(self, source: Affine, target: Affine) -> Dictionary:
        p = {name: tensor.detach() for name, tensor in self.parameters.items()}
        gain = p["r_mag"].exp()
        W_enc = p["W_enc"] * gain[:, None]
        return fold(
            W_enc_FI=W_enc,
            b_enc=p["b_mag"] - W_enc @ p["b_dec"] if self.subtracts_b_dec else p["b_mag"],
            W_dec_FO=p["W_dec"],
            b_dec=p["b_dec"],
            threshold=(p["b_mag"] - gain * p["b_enc"]).clamp_min(0),
            refinement=self.folded_refinement(),
            W_skip_OI=p.get("W_skip"),
            source=source,
            target=target,
            parts=self.setup.parts,
        )

    @staticmethod
    def step_bytes(features: int, rows: int, element: int) -> int:
        del element
        return block_step_bytes(features, rows)

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        # As for the paper's dictionary, which it is compared with.
        return float(min(2e-3, _LR * (_LR_FEATURES / features) ** 0.5))
