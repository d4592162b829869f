"""Cross-layer transcoder (Ameisen et al., 2025): JumpReLU features that write to later layers.

    a^l = JumpReLU(x^l·W_enc^lᵀ + b_enc^l, θ^l),   ŷ^l = b_dec^l + Σ_{l' ≤ l} a^l'·W_dec^{l'→l}
    L = Σ_l ‖y^l − ŷ^l‖² + λ Σ tanh(c ‖W_dec,i‖ a_i) + λ_P Σ ReLU(θ_i − pre_i) ‖W_dec,i‖

where W_dec,i holds all layers a feature writes to, side by side, and θ = e^t. Its constants and
its straight-through gradients are those of the JumpReLU recipe of January 2025.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._linear import fold
from sae_desktop.dictionary.architectures.base import (
    Architecture,
    Batch,
    Loss,
    Setup,
    StepState,
    random_directions,
)
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine

TANH_SCALE = 4.0
"""c."""
BANDWIDTH = 2.0
"""ε, the width of the window in which a threshold gets a gradient."""
INITIAL_THRESHOLD = 0.1
PRE_ACTIVATION_WEIGHT = 3e-6
"""λ_P, which keeps features from falling silent for good."""
_INITIAL_NORM = 0.1
_LR, _LR_FEATURES = 5e-5, 2**20


class CrossLayerTranscoder(Architecture):
    """Parameters by layer l: W_dec_l (F / L, (L − l)·D); by feature W_enc (F, D), b_enc, t."""

    title = "Cross-layer transcoder"
    summary = "Each feature reads one layer and writes the MLP outputs of it and all later ones."
    settings = ("sparsity",)
    default_sparsity = 10.0
    sparsity_warm_up = 1.0

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        self.setup = setup
        self.layers = len(setup.parts)
        self.depth = setup.width // self.layers
        """D, the width of a layer."""
        self.size = setup.features // self.layers
        """Features of a layer."""
        self.parameters = {
            "W_enc": random_directions(setup.features, self.depth, generator),
            "b_enc": torch.zeros(setup.features),
            "log_threshold": torch.full((setup.features,), INITIAL_THRESHOLD).log(),
            "b_dec": torch.zeros(self.layers * self.depth),
        }
        for layer in range(self.layers):
            written = (self.layers - layer) * self.depth
            directions = random_directions(self.size, written, generator)
            self.parameters[f"W_dec_{layer}"] = directions.mul_(_INITIAL_NORM)
        self.buffers = {}

    def initialise_from(self, batch: Batch) -> None:
        self.parameters["b_dec"].data.copy_(batch.y_TO.mean(dim=0))

    def encode(self, x_TI: Tensor) -> Tensor:
        return _jump(self._pre_activations(x_TI), self.parameters["log_threshold"].exp())

    def decode(self, acts_TF: Tensor, x_TI: Tensor) -> Tensor:
        written = self.parameters["b_dec"].expand(len(acts_TF), -1).clone()
        for layer, acts in enumerate(torch.split(acts_TF, self.size, dim=1)):
            written[:, layer * self.depth :] += acts @ self.parameters[f"W_dec_{layer}"]
        return written

    def loss(self, batch: Batch, state: StepState) -> Loss:
        rows = len(batch.x_TI)
        pre_TF = self._pre_activations(batch.x_TI)
        threshold_F, norms_F = self.parameters["log_threshold"].exp(), self.decoder_norms()
        acts_TF = _jump(pre_TF, threshold_F)
        error = self.decode(acts_TF, batch.x_TI) - batch.y_TO
        paid = torch.tanh(TANH_SCALE * acts_TF * norms_F).sum() / rows
        short = ((threshold_F - pre_TF).relu() @ norms_F).sum() / rows
        terms = {
            "reconstruction": error.pow(2).sum() / rows,
            "sparsity": state.sparsity * paid,
            "pre_activation": PRE_ACTIVATION_WEIGHT * short,
        }
        fired_F = (acts_TF.detach() > 0).sum(dim=0)
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    def decoder_norms(self) -> Tensor:
        """Return (F,): norms over all layers a feature writes to."""
        p = self.parameters
        return torch.cat([p[f"W_dec_{layer}"].norm(dim=1) for layer in range(self.layers)])

    def _pre_activations(self, x_TI: Tensor) -> Tensor:
        p = self.parameters
        pieces = zip(
            torch.split(x_TI, self.depth, dim=1),
            torch.split(p["W_enc"], self.size),
            torch.split(p["b_enc"], self.size),
            strict=True,
        )
        return torch.cat([torch.addmm(bias, x, W_enc.T) for x, W_enc, bias in pieces], dim=1)

    def folded(self, source: Affine, target: Affine) -> Dictionary:
        p = {name: tensor.detach() for name, tensor in self.parameters.items()}
        threshold_F = p["log_threshold"].exp()
        blocks = []
        for layer in range(self.layers):
            read = slice(layer * self.depth, (layer + 1) * self.depth)
            mine = slice(layer * self.size, (layer + 1) * self.size)
            scale = target.scale[layer * self.depth :]
            blocks.append(
                fold(
                    W_enc_FI=p["W_enc"][mine],
                    b_enc=p["b_enc"][mine],
                    W_dec_FO=p[f"W_dec_{layer}"],
                    b_dec=torch.zeros_like(scale),
                    threshold=threshold_F[mine],
                    W_skip_OI=None,
                    source=Affine(source.shift[read], source.scale[read]),
                    target=Affine(torch.zeros_like(scale), scale),
                )
            )
        return CrossLayerDictionary(blocks, p["b_dec"] / target.scale + target.shift)

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        return float(min(2e-3, _LR * (_LR_FEATURES / features) ** 0.5))


class _JumpReLU(torch.autograd.Function):
    """pre where pre > θ, else 0; θ gets −(θ/ε)·1[|pre − θ| < ε/2] (Rajamanoharan et al., 2024)."""

    @staticmethod
    def forward(ctx: Any, pre_TF: Tensor, threshold_F: Tensor) -> Tensor:
        ctx.save_for_backward(pre_TF, threshold_F)
        return pre_TF * (pre_TF > threshold_F)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        (grad_TF,) = grads
        pre_TF, threshold_F = ctx.saved_tensors
        near_TF = (pre_TF - threshold_F).abs() < BANDWIDTH / 2
        grad_threshold = -(threshold_F / BANDWIDTH) * (grad_TF * near_TF).sum(dim=0)
        return grad_TF * (pre_TF > threshold_F), grad_threshold


def _jump(pre_TF: Tensor, threshold_F: Tensor) -> Tensor:
    out: Tensor = _JumpReLU.apply(pre_TF, threshold_F)  # type: ignore[no-untyped-call]
    return out
