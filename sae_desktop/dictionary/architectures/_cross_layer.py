"""Cross-layer transcoder (Ameisen et al., 2025): JumpReLU features that write to later layers.

    a^l = JumpReLU(x^l·W_enc^lᵀ + b_enc^l, θ^l),   ŷ^l = b_dec^l + Σ_{l' ≤ l} a^l'·W_dec^{l'→l}
    L = Σ_l ‖y^l − ŷ^l‖² + λ Σ tanh(c ‖W_dec,i‖ a_i) + λ_P Σ ReLU(θ_i − pre_i) ‖W_dec,i‖

where W_dec,i holds all layers a feature writes to, side by side, and θ = e^t. Constants and
straight-through gradients are those of the JumpReLU recipe (see `jumprelu`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._blocks import block_step_bytes, gradients_in_blocks
from sae_desktop.dictionary.architectures._l0_aim import BUFFERS, L0Controller
from sae_desktop.dictionary.architectures._linear import fold
from sae_desktop.dictionary.architectures.base import (
    Architecture,
    Batch,
    Loss,
    Setup,
    StepState,
    random_directions,
)
from sae_desktop.dictionary.architectures.jumprelu import Constants, jump
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine

_SHARE_AT_START = 0.05
"""Of its features, active on a row at the start."""
_LR, _LR_FEATURES = 2e-4, 2**16


class CrossLayerTranscoder(Architecture):
    """Parameters by layer l: W_dec_l (F / L, (L − l)·D); by feature W_enc (F, D), b_enc, t."""

    title = "Cross-layer transcoder"
    summary = (
        "Each feature reads one layer and writes to the MLP outputs of that layer and all later "
        "ones."
    )
    settings = ("sparsity", "k")
    default_sparsity = 10.0
    aims = True
    host_buffers = BUFFERS
    sparsity_warm_up = 1.0

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        self.setup = setup
        self.layers = len(setup.parts)
        self.depth = setup.width // self.layers
        """D, the width of a layer."""
        self.size = setup.features // self.layers
        """Features of a layer."""
        written = self.layers * self.depth
        self.constants = Constants.of(setup, written)
        threshold = math.log(self.constants.initial_threshold)
        self.parameters = {
            "W_enc": random_directions(setup.features, self.depth, generator),
            "b_enc": torch.zeros(setup.features),
            "log_threshold": torch.full((setup.features,), threshold),
            "b_dec": torch.zeros(written),
        }
        for layer in range(self.layers):
            written = (self.layers - layer) * self.depth
            entries = torch.empty(self.size, written).uniform_(-1, 1, generator=generator)
            self.parameters[f"W_dec_{layer}"] = entries.div_(math.sqrt(written))
        self.buffers = {}
        self._aim = L0Controller(self.buffers, setup, self.layers * self.depth / setup.k)

    def initialise_from(self, batch: Batch) -> None:
        """Set b_dec to the outputs' mean, and b_enc so that a share of the features fires."""
        self.parameters["b_dec"].data.copy_(batch.y_TO.mean(dim=0))
        count = max(1, round(_SHARE_AT_START * len(batch.x_TI)))
        for layer, x in enumerate(torch.split(batch.x_TI, self.depth, dim=1)):
            mine = slice(layer * self.size, (layer + 1) * self.size)
            smallest = (x @ self.parameters["W_enc"][mine].T).topk(count, dim=0).values[-1]
            self.parameters["b_enc"][mine] = self.constants.initial_threshold - smallest

    def led_sparsity(self, taken: float) -> float:
        return self._aim.sparsity(taken)

    def encode(self, x_TI: Tensor) -> Tensor:
        t_F = self.parameters["log_threshold"]
        return jump(self._pre_activations(x_TI), t_F, self.constants.bandwidth)

    def decode(self, acts_TF: Tensor, x_TI: Tensor) -> Tensor:
        written = self.parameters["b_dec"].expand(len(acts_TF), -1).clone()
        for layer, acts in enumerate(torch.split(acts_TF, self.size, dim=1)):
            written[:, layer * self.depth :] += acts @ self.parameters[f"W_dec_{layer}"]
        return written

    def loss(self, batch: Batch, state: StepState) -> Loss:
        rows = len(batch.x_TI)
        pre_TF = self._pre_activations(batch.x_TI)
        t_F, norms_F, c = self.parameters["log_threshold"], self.decoder_norms(), self.constants
        acts_TF = jump(pre_TF, t_F, c.bandwidth)
        error = self.decode(acts_TF, batch.x_TI) - batch.y_TO
        paid = torch.tanh(c.tanh_scale * acts_TF * norms_F).sum() / rows
        short = ((t_F.exp() - pre_TF).relu() @ norms_F).sum() / rows
        terms = {
            "reconstruction": error.pow(2).sum() / rows,
            "sparsity": state.sparsity * paid,
            "pre_activation": c.pre_activation_weight * short,
        }
        fired_F = (acts_TF.detach() > 0).sum(dim=0)
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    def gradients(self, batch: Batch, state: StepState) -> Loss:
        loss = gradients_in_blocks(self, self.setup.features, batch, state)
        self._aim.update(loss.l0)
        return loss

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
    def step_bytes(features: int, rows: int, element: int) -> int:
        del element
        return block_step_bytes(features, rows)

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        return float(min(2e-3, _LR * (_LR_FEATURES / features) ** 0.5))
