"""What most architectures share: one linear encoder, one linear decoder, and how they fold."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._unfold import unfold
from sae_desktop.dictionary.architectures.base import (
    Architecture,
    Batch,
    Setup,
    random_directions,
)
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine, geometric_median
from sae_desktop.dictionary.refinement import Refinement


class LinearArchitecture(Architecture):
    """Parameters W_enc (F, I), b_enc (F,), W_dec (F, O), b_dec (O,) and W_skip (O, I) if asked.

    The encoder is kept transposed: a feature's weights are side by side in both matrices.
    """

    initial_norm = 1.0
    """Norm of the decoder's rows at the start."""

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        self.setup = setup
        out_width = setup.width if setup.out_width is None else setup.out_width
        W_dec = random_directions(setup.features, out_width, generator).mul_(self.initial_norm)
        if setup.out_width is None:
            W_enc = W_dec.clone()
        else:
            W_enc = random_directions(setup.features, setup.width, generator)
            W_enc.mul_(self.initial_norm)
        self.parameters = {
            "W_enc": W_enc,
            "b_enc": torch.zeros(setup.features),
            "W_dec": W_dec,
            "b_dec": torch.zeros(out_width),
        }
        if setup.skip:
            self.parameters["W_skip"] = torch.zeros(out_width, setup.width)
        self.buffers = {}

    @property
    def reconstructs_input(self) -> bool:
        return self.setup.out_width is None

    @property
    def subtracts_b_dec(self) -> bool:
        """Whether the encoder reads x − b_dec instead of x."""
        return False

    def initialise_from(self, batch: Batch) -> None:
        """Set directions to rows of the data if asked: as many as there are, the rest random.

        A transcoder's feature reads the row of the input whose row of the output it writes.
        """
        if self.setup.init != "data":
            return
        W_dec, W_enc = self.parameters["W_dec"], self.parameters["W_enc"]
        self._begin_at(batch.y_TO, W_dec)
        if self.reconstructs_input:
            W_enc[: len(batch.x_TI)] = W_dec[: len(batch.x_TI)]
        else:
            self._begin_at(batch.x_TI, W_enc)

    def _begin_at(self, data_TD: Tensor, W_FD: Tensor) -> None:
        """Set the first rows of a matrix to centred rows of the data, at the initial norm."""
        count = min(len(data_TD), len(W_FD))
        centred = data_TD[:count] - data_TD.mean(dim=0)
        norms = centred.norm(dim=1, keepdim=True)
        directions = torch.where(norms > 0, centred / norms, W_FD[:count] / self.initial_norm)
        W_FD[:count] = self.initial_norm * directions

    def take_over(self, dictionary: Dictionary, source: Affine, target: Affine) -> None:
        p, found = self.parameters, unfold(dictionary, source, target)
        bias = found.b_enc
        if self.subtracts_b_dec:
            bias = bias + found.W_enc_FI @ found.b_dec
        lengths = self.lengths_to_begin(found.W_enc_FI)
        p["W_enc"].copy_(found.W_enc_FI.div_(lengths[:, None]))
        p["b_enc"].copy_(bias.div_(lengths))
        p["W_dec"].copy_(found.W_dec_FO.mul_(lengths[:, None]))
        p["b_dec"].copy_(found.b_dec)
        if found.W_skip_OI is not None:
            p["W_skip"].copy_(found.W_skip_OI)
        self.take_threshold(None if found.threshold is None else found.threshold / lengths)

    def lengths_to_begin(self, W_enc_FI: Tensor) -> Tensor:
        """Return (F,) lengths of the decoder's rows to begin with, of an encoder that was folded.

        Folding has lost them, and they change nothing but how fast each matrix learns.
        """
        return torch.ones(len(W_enc_FI))

    def take_threshold(self, threshold: Tensor | None) -> None:
        """Take over (F,) thresholds of the normalised pre-activations; None: ReLU alone."""
        if threshold is not None:
            raise ValueError("its features have thresholds")

    def centre_b_dec(self, batch: Batch) -> None:
        """Set b_dec to the geometric median of the targets."""
        self.parameters["b_dec"].data.copy_(geometric_median(batch.y_TO))

    def encoder_input(self, x_TI: Tensor) -> Tensor:
        return x_TI - self.parameters["b_dec"] if self.subtracts_b_dec else x_TI

    def pre_activations(self, x_TI: Tensor) -> Tensor:
        """Return (T, F), plainly."""
        p = self.parameters
        return torch.nn.functional.linear(self.encoder_input(x_TI), p["W_enc"], p["b_enc"])

    def decode(self, acts_TF: Tensor, x_TI: Tensor) -> Tensor:
        p = self.parameters
        return torch.addmm(p["b_dec"], acts_TF, p["W_dec"]) + self.skipped(x_TI)

    def skipped(self, x_TI: Tensor) -> Tensor | float:
        """Return what reaches the output past the features, (T, O); 0 without a skip."""
        W_skip = self.parameters.get("W_skip")
        return 0.0 if W_skip is None else x_TI @ W_skip.T

    def decoder_norms(self) -> Tensor:
        """Return (F,): the decoder rows' norms, summed over the output's parts."""
        W_dec = self.parameters["W_dec"]
        pieces = torch.split(W_dec, list(self.setup.parts) or [W_dec.shape[1]], dim=1)
        norms: Tensor = torch.stack([torch.linalg.vector_norm(p, dim=1) for p in pieces])
        return norms.sum(dim=0)

    def add_norm_gradient(self, grad_W_dec: Tensor, grad_norms: Tensor) -> Tensor:
        """Add to W_dec's gradient, in place, what reaches it through `decoder_norms` (F,)."""
        W_dec = self.parameters["W_dec"].detach()
        sizes = list(self.setup.parts) or [W_dec.shape[1]]
        for grad, W in zip(
            torch.split(grad_W_dec, sizes, dim=1), torch.split(W_dec, sizes, dim=1), strict=True
        ):
            norms = torch.linalg.vector_norm(W, dim=1)
            share = torch.where(norms > 0, grad_norms / norms, 0.0)
            grad.addcmul_(share[:, None], W)
        return grad_W_dec

    def folded(self, source: Affine, target: Affine) -> Dictionary:
        p = {name: tensor.detach() for name, tensor in self.parameters.items()}
        bias = p["b_enc"] - p["W_enc"] @ p["b_dec"] if self.subtracts_b_dec else p["b_enc"]
        return fold(
            W_enc_FI=p["W_enc"],
            b_enc=bias,
            W_dec_FO=p["W_dec"],
            b_dec=p["b_dec"],
            threshold=self.folded_threshold(),
            refinement=self.folded_refinement(),
            W_skip_OI=p.get("W_skip"),
            source=source,
            target=target,
            parts=self.setup.parts,
        )

    def folded_threshold(self) -> Tensor | None:
        """Return (F,) thresholds of the normalised pre-activations; None: ReLU alone."""
        return None

    @property
    def writes_what_it_reads(self) -> bool:
        """Whether the rows it reads show what it left over of them."""
        return self.reconstructs_input and len(self.setup.parts) < 2

    @property
    def leave_one_out(self) -> float:
        """τ of `Refinement`; 0 for what has no thresholds, or writes elsewhere."""
        takes = "leave_one_out" in self.settings and self.writes_what_it_reads
        return self.setup.leave_one_out if takes else 0.0

    def folded_refinement(self) -> Refinement | None:
        """Return what follows the first reading, in normalised units; None: nothing."""
        return Refinement(leave_one_out=self.leave_one_out) if self.leave_one_out else None


def fold(
    *,
    W_enc_FI: Tensor,
    b_enc: Tensor,
    W_dec_FO: Tensor,
    b_dec: Tensor,
    threshold: Tensor | None,
    W_skip_OI: Tensor | None,
    source: Affine,
    target: Affine,
    parts: tuple[int, ...] = (),
    refinement: Refinement | None = None,
) -> Dictionary:
    """Return the dictionary for raw activations with unit decoder rows; x̂ and L0 stay."""
    # In place where it can be: at a million features each copy is gigabytes.
    W_dec = W_dec_FO / target.scale
    norms = torch.linalg.vector_norm(W_dec, dim=1)
    norms.clamp_min_(torch.finfo(torch.float32).tiny)
    W_enc = torch.empty(W_enc_FI.shape[::-1], dtype=W_enc_FI.dtype, device=W_enc_FI.device)
    torch.mul(W_enc_FI.T, source.scale[:, None], out=W_enc)
    bias = b_enc - W_enc_FI @ (source.shift * source.scale)
    b_out = b_dec / target.scale + target.shift
    W_skip = None
    if W_skip_OI is not None:
        W_skip = (W_skip_OI * source.scale / target.scale[:, None]).T.contiguous()
        b_out = b_out - source.shift @ W_skip
    return Dictionary(
        W_enc=W_enc.mul_(norms),
        b_enc=bias * norms,
        W_dec=W_dec.div_(norms[:, None]),
        b_dec=b_out,
        threshold=None if threshold is None else threshold * norms,
        W_skip=W_skip,
        parts=parts,
        refinement=None if refinement is None else refinement.scaled(norms),
    )
