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

from sae_desktop.dictionary.architectures._linear import fold
from sae_desktop.dictionary.architectures._unit_decoder import UnitDecoder
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine

_LR, _LR_FEATURES = 5e-5, 2**20


class Gated(UnitDecoder):
    """`b_enc` is the gate's bias, b_gate in the paper."""

    title = "Gated"
    summary = "A gate decides which features are on; only the gate pays for sparsity."
    settings = ("sparsity",)
    default_sparsity = 5.0

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        super().__init__(setup, generator)
        self.parameters["r_mag"] = torch.zeros(setup.features)
        self.parameters["b_mag"] = torch.zeros(setup.features)

    @property
    def subtracts_b_dec(self) -> bool:
        return self.reconstructs_input

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
            W_skip_OI=p.get("W_skip"),
            source=source,
            target=target,
            parts=self.setup.parts,
        )

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        # As for the paper's dictionary, which it is compared with.
        return float(min(2e-3, _LR * (_LR_FEATURES / features) ** 0.5))
