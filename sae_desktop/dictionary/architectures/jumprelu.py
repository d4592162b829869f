"""JumpReLU by Anthropic's recipe (Circuits Updates, January 2025).

    pre = x·W_encᵀ + b_enc;   f = pre where pre > e^t, else 0;   x̂ = f·W_dec + b_dec
    L = E[‖x − x̂‖² + λ_S Σ tanh(c f_i‖W_dec,i‖) + λ_P Σ ReLU(e^t_i − pre_i)‖W_dec,i‖]

The jump itself has no gradient: to the threshold goes the straight-through estimate
∂f/∂t = −e^t/ε where |pre − e^t| < ε/2. The last term gives silent features one. λ_S rises
over the whole run.

Where no λ was chosen, the number of active features is itself the penalty, and moves the
thresholds alone (Rajamanoharan et al., 2024): λ_S Σ H(pre_i − e^t_i), whose straight-through
estimate is ∂H/∂t = −e^t/ε, with λ_S led so that k are active (see `_l0_aim`). A tanh pulls at the
activations as well, and at the weight that k asks for of narrow rows it silences most features.
The first thresholds are then one for all, at which L0 is what is aimed at to begin with.

ε and λ_P are in units of an activation, whose usual size is √(D/k) under E‖x‖² = D. The recipe's
numbers are taken to be those of width 256 and k = 32.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._l0_aim import (
    BUFFERS,
    L0Price,
    activation_unit,
    l0_at_start,
)
from sae_desktop.dictionary.architectures._linear import LinearArchitecture
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState
from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.precision import LowPrecision, column_sums
from sae_desktop.dictionary.selection import BlockBuffer, EncoderBlocks, above, block_rows

_NARROWER = 0.7
"""ε where the active are counted, as a share of the recipe's: .5·√(D/k).

At .2, with an aim that begins at 20·k, JumpReLU finds more of SynthSAEBench's features (512 in the
small world: F1 .72 to .73 instead of .66 to .67), but explains less of real rows: 1,024 features on
the built-in model, FVU .217 instead of .211 after 879 steps, .299 instead of .228 after 293, at an
L0 of .85·k. A narrower ε alone gains nothing, nor does a higher start.
"""
_NUMBERS_AT_START = 2**22
"""Pre-activations that the first thresholds are found from."""
_ACTIVE_AT_START = 10_000
"""Features active on a row at the start, at most …"""
_SHARE_AT_START = 0.02
"""… this share of them, for dictionaries small beside the recipe's."""
_LEAST_TAKEN_OVER = 1e-5
"""Of the first threshold: below that a threshold that is taken over counts as this much."""


class JumpReLU(LinearArchitecture):
    """Each feature learns the threshold over which it fires."""

    title = "JumpReLU"
    summary = "Each feature learns its own threshold; the penalty counts the active ones."
    settings = ("sparsity", "k", "leave_one_out")
    default_sparsity = 10.0
    aims = True
    host_buffers = BUFFERS
    sparsity_warm_up = 1.0

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        super().__init__(setup, generator)
        p = self.parameters
        out_width = p["W_dec"].shape[1]
        self.constants = Constants.of(setup, out_width)
        if setup.aims_at_k:
            self.constants = self.constants.counting()
        threshold = math.log(self.constants.initial_threshold)
        p["log_threshold"] = torch.full((setup.features,), threshold)
        self._aim = L0Price(self.buffers, setup, out_width)
        self._low = LowPrecision(setup.precision)
        self._buffers = [BlockBuffer(), BlockBuffer(), BlockBuffer()]
        if setup.aims_at_k:
            return
        # Entries uniform in ±1/√O, the encoder its transpose times I/F.
        p["W_dec"].uniform_(-1, 1, generator=generator).div_(math.sqrt(out_width))
        if self.reconstructs_input:
            p["W_enc"] = p["W_dec"] * (setup.width / setup.features)

    def initialise_from(self, batch: Batch) -> None:
        """Set the biases so that each feature fires on the recipe's share of the rows.

        Where k is aimed at, set the thresholds so that as many fire as at the start of the aim.
        """
        super().initialise_from(batch)
        p = self.parameters
        if self.setup.aims_at_k:
            x_TI = batch.x_TI[: max(1, _NUMBERS_AT_START // self.setup.features)]
            pre = self.pre_activations(x_TI).flatten()
            active = round(l0_at_start(self.setup) * len(x_TI))
            least = float(pre.topk(active).values[-1])
            p["log_threshold"].fill_(math.log(max(least, self.constants.initial_threshold)))
            return
        share = min(_ACTIVE_AT_START / self.setup.features, _SHARE_AT_START)
        count = max(1, round(share * len(batch.x_TI)))
        for ids in torch.split(torch.arange(self.setup.features), 1024):
            pre = batch.x_TI @ p["W_enc"][ids].T
            smallest = pre.topk(count, dim=0).values[-1]
            p["b_enc"][ids] = self.constants.initial_threshold - smallest

    def take_threshold(self, threshold: Tensor | None) -> None:
        if threshold is None:
            raise ValueError("its features have no thresholds")
        least = _LEAST_TAKEN_OVER * self.constants.initial_threshold
        self.parameters["log_threshold"].copy_(threshold.clamp_min(least).log())

    def led_sparsity(self, taken: float) -> float:
        return self._aim.sparsity(taken)

    def encode(self, x_TI: Tensor) -> Tensor:
        t = self.parameters["log_threshold"]
        return jump(self.pre_activations(x_TI), t, self.constants.bandwidth)

    def loss(self, batch: Batch, state: StepState) -> Loss:
        rows, t = len(batch.x_TI), self.parameters["log_threshold"]
        norms, c = self.decoder_norms(), self.constants
        pre_TF = self.pre_activations(batch.x_TI)
        f_TF = jump(pre_TF, t, c.bandwidth)
        error = self.decode(f_TF, batch.x_TI) - batch.y_TO
        below = torch.relu(t.exp() - pre_TF)
        if self.setup.aims_at_k:
            paid_TF = count(pre_TF, t, c.bandwidth)
        else:
            paid_TF = torch.tanh(c.tanh_scale * f_TF * norms)
        terms = {
            "reconstruction": error.pow(2).sum() / rows,
            "sparsity": state.sparsity * paid_TF.sum() / rows,
            "pre_activation": c.pre_activation_weight * (below @ norms).sum() / rows,
        }
        fired_F = (f_TF.detach() > 0).sum(dim=0)
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    @torch.no_grad()
    def gradients(self, batch: Batch, state: StepState) -> Loss:
        """Compute the loss and set the gradients by hand: two dense products, the rest sparse.

        The pre-activation loss is over all pairs but the active, so its sums are those over
        all, known from Σ x, less those over the active.
        """
        p, rows, x_TI = self.parameters, len(batch.x_TI), batch.x_TI
        norms, threshold = self.decoder_norms(), p["log_threshold"].exp()
        c = self.constants
        pairs = self._pairs(batch, state, norms, threshold)
        active, values, grad_f = pairs.active, pairs.values, pairs.grad_f
        weight = c.pre_activation_weight / rows * norms
        grad_pre = torch.add(grad_f, pairs.norms, alpha=c.pre_activation_weight / rows)
        x_sum = x_TI.sum(dim=0)
        pre_sum = p["W_enc"] @ x_sum + rows * p["b_enc"]
        silent_F = rows - active.counts_F
        below = silent_F * threshold - (pre_sum - active.column_sums(values))
        terms = {
            "reconstruction": pairs.back_TO.square().sum() * (rows / 4),  # back is 2/T · error
            "sparsity": state.sparsity / rows * pairs.paid.sum(),
            "pre_activation": weight @ below,
        }
        p["W_enc"].grad = active.gather_rows(grad_pre, x_TI).addr_(weight, x_sum, alpha=-1)
        p["b_enc"].grad = active.column_sums(grad_pre) - rows * weight
        p["log_threshold"].grad = threshold * (weight * silent_F - pairs.band_F / c.bandwidth)
        grad_norms = c.pre_activation_weight * below
        if not self.setup.aims_at_k:
            slope = state.sparsity * c.tanh_scale
            grad_norms += slope * active.column_sums(values * (1 - pairs.paid.square()))
        p["W_dec"].grad = self.add_norm_gradient(
            active.gather_rows(values, pairs.back_TO), grad_norms / rows
        )
        p["b_dec"].grad = pairs.back_TO.sum(dim=0)
        if "W_skip" in p:
            p["W_skip"].grad = pairs.back_TO.T @ x_TI
        total = torch.stack(list(terms.values())).sum()
        l0 = state.mates.per_row(len(active.col), rows)
        self._aim.update(l0)
        return Loss(total, terms, state.mates.summed(active.counts_F), l0)

    def _pairs(self, batch: Batch, state: StepState, norms: Tensor, threshold: Tensor) -> _Pairs:
        """Go through the batch a block of rows at a time."""
        p, rows, low = self.parameters, len(batch.x_TI), self.setup.precision
        c, half_band = self.constants, self.constants.bandwidth / 2
        W_enc, W_dec = self._low.of("W_enc", p["W_enc"]), self._low.of("W_dec", p["W_dec"])
        blocks = EncoderBlocks(batch.x_TI.to(low), W_enc, p["b_enc"].to(low), self._buffers[0])
        counts = self.setup.aims_at_k
        # ∂L/∂f of the sparsity term where f = 0; less where f is larger. Where the active are
        # counted, it is what the thresholds see, and the activations see none of it.
        slope = state.sparsity / rows * (1.0 if counts else c.tanh_scale)
        at_zero = slope * (torch.ones_like(norms) if counts else norms)
        at_zero_low, threshold_low = at_zero.to(low), threshold.to(low)
        back_TO = p["b_dec"] - batch.y_TO + self.skipped(batch.x_TI)
        band_F = torch.zeros_like(threshold)
        found = []
        for first, pre_RF in blocks:
            flat, values = above(pre_RF, threshold_low)
            active = Active.from_flat(flat, len(pre_RF), self.setup.features)
            back = back_TO[first : first + len(pre_RF)]
            back.add_(active.decode(values, p["W_dec"])).mul_(2 / rows)
            grad, distance = (
                b.of(len(pre_RF), self.setup.features, pre_RF) for b in self._buffers[1:]
            )
            torch.addmm(at_zero_low, back.to(low), W_dec.T, out=grad)
            norms_n = norms[active.col]
            grad_f = grad.view(-1)[flat].float()
            if counts:
                paid, less = torch.ones_like(values), None
                grad_f -= slope
            else:
                paid = torch.tanh(c.tanh_scale * values * norms_n)
                less = paid.square().mul_(norms_n).mul_(-slope)
                grad_f += less
            torch.sub(pre_RF, threshold_low, out=distance).abs_().neg_()
            torch.ops.aten.threshold_backward.grad_input(
                grad, distance, -half_band, grad_input=grad
            )
            band_F += column_sums(grad)
            if less is not None:
                band_F += active.column_sums(less * (distance.view(-1)[flat] > -half_band))
            found.append((flat + first * self.setup.features, values, grad_f, paid, norms_n))
        pieces = list(zip(*found, strict=True))
        flat, values, grad_f, paid, norms_n = (torch.cat(piece) for piece in pieces)
        active = Active.from_flat(flat, rows, self.setup.features)
        return _Pairs(active, values, grad_f, paid, norms_n, back_TO, band_F)

    def folded_threshold(self) -> Tensor:
        return self.parameters["log_threshold"].detach().exp()

    @staticmethod
    def step_bytes(features: int, rows: int, element: int) -> int:
        # Blocks, and some sixty bytes for every active pair: one in ten early in a run.
        blocks = 3 * min(rows, block_rows(features, element)) * features * element
        return blocks + 6 * rows * features

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        del steps
        return float(min(2e-3, 2e-4 * (2**16 / features) ** 0.5))


class Constants(NamedTuple):
    """The recipe's numbers that are sizes, or ratios of sizes, under E‖y‖² = O."""

    tanh_scale: float
    """c."""
    bandwidth: float
    """ε."""
    initial_threshold: float
    pre_activation_weight: float
    """λ_P."""

    @classmethod
    def of(cls, setup: Setup, width: int) -> Constants:
        """Return those of a width: the recipe's own where a λ was chosen by the recipe."""
        unit = activation_unit(width, setup.k) if setup.aims_at_k else 1.0
        return cls(4.0 / unit, 2.0 * unit, 0.1 * unit, 3e-6 * unit)

    def counting(self) -> Constants:
        """Return those for a penalty on the number of active features."""
        return self._replace(bandwidth=_NARROWER * self.bandwidth)


class _Pairs(NamedTuple):
    """The active pairs of a batch, and what all pairs have to say of the thresholds."""

    active: Active
    values: Tensor
    """(nnz,) f."""
    grad_f: Tensor
    """(nnz,) ∂L/∂f."""
    paid: Tensor
    """(nnz,) tanh(c f‖W_dec‖); 1 where the active are counted."""
    norms: Tensor
    """(nnz,) ‖W_dec‖."""
    back_TO: Tensor
    """2/T · (x̂ − y)."""
    band_F: Tensor
    """Σ ∂L/∂f over the pairs within ε/2 of the threshold, the silent ones too."""


class _Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pre_TF: Tensor, log_threshold_F: Tensor, bandwidth: float) -> Tensor:
        threshold = log_threshold_F.exp()
        ctx.save_for_backward(pre_TF, threshold)
        ctx.bandwidth = bandwidth
        return pre_TF * (pre_TF > threshold)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad_TF,) = grads
        pre_TF, threshold = ctx.saved_tensors
        band = (pre_TF - threshold).abs() < ctx.bandwidth / 2
        grad_t = -threshold / ctx.bandwidth * (grad_TF * band).sum(dim=0)
        return grad_TF * (pre_TF > threshold), grad_t, None


def jump(pre_TF: Tensor, log_threshold_F: Tensor, bandwidth: float) -> Tensor:
    """Return pre where it exceeds e^t, else 0, with the straight-through gradient to t.

    `bandwidth` is ε, in the units of pre.
    """
    out: Tensor = _Jump.apply(pre_TF, log_threshold_F, bandwidth)  # type: ignore[no-untyped-call]
    return out


class _Count(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pre_TF: Tensor, log_threshold_F: Tensor, bandwidth: float) -> Tensor:
        threshold = log_threshold_F.exp()
        ctx.save_for_backward(pre_TF, threshold)
        ctx.bandwidth = bandwidth
        return (pre_TF > threshold).to(pre_TF.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None]:
        (grad_TF,) = grads
        pre_TF, threshold = ctx.saved_tensors
        band = (pre_TF - threshold).abs() < ctx.bandwidth / 2
        return None, -threshold / ctx.bandwidth * (grad_TF * band).sum(dim=0), None


def count(pre_TF: Tensor, log_threshold_F: Tensor, bandwidth: float) -> Tensor:
    """Return 1 where pre exceeds e^t, else 0; its gradient goes to t alone."""
    out: Tensor = _Count.apply(pre_TF, log_threshold_F, bandwidth)  # type: ignore[no-untyped-call]
    return out
