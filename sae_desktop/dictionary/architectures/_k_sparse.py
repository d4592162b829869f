"""What TopK, BatchTopK and Matryoshka share: k active features, unit decoder rows, AuxK.

    pre = (x − b_dec)·W_encᵀ + b_enc;   x̂ = Σ kept ReLU(pre_i) W_dec,i + b_dec
    L = mean over nested groups of ‖x − x̂_group‖² + α ‖e − ê‖²

A plain dictionary is one group. k may be larger at the start of a run: it then falls evenly until
`FALLEN_AT` of it. e = x − x̂ is what is left over, ê its reconstruction by the
D/2 strongest features among the dead (AuxK, Gao et al., 2024); e counts as data there.
Decoder rows have norm one, and the part of their gradient along themselves is removed. A
transcoder's encoder reads x itself: b_dec lies in another space.

Where rows are read twice (`reads_twice` and a LISTA step η), the pre-activations above are those
of the second reading; see `_first_reading`. The first keeps as many pairs as the second.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._first_reading import FirstReading
from sae_desktop.dictionary.architectures._rates import short_run_rate
from sae_desktop.dictionary.architectures._unit_decoder import UnitDecoder
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState
from sae_desktop.dictionary.batch_mates import ALONE, BatchMates
from sae_desktop.dictionary.dictionary import largest_of_each_row
from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.precision import LowPrecision, column_sums
from sae_desktop.dictionary.selection import BlockBuffer, EncoderBlocks, Kept, block_rows

FALLEN_AT = 0.8
"""Share of a run after which k is what was asked for: the threshold has the rest to settle."""


class KSparse(UnitDecoder):
    """Subclasses say which entries of the pre-activations are kept."""

    settings: ClassVar[tuple[str, ...]] = ("k", "k_start", "aux_weight")
    usual_start: ClassVar[float] = 1.0
    """k at the start of a run in which it was not chosen, as a multiple of k.

    One that falls from 2.4·k finds more of SynthSAEBench's features (512 BatchTopK features in the
    small world, three seeds: F1 .536 to .690), but explains less of real rows: 1,024 features on
    the built-in model, k 16, two seeds, FVU .228 to .238 after 293 steps (4 dead to none), .216 to
    .217 after 879 (15 to 2); on SmolLM2, 293 steps, one seed, .306 to .313 (35 to 2).
    """
    levels_alone: ClassVar[bool] = False
    """Whether a group learns from its own nested error and the whole's, not those between."""
    reads_twice: ClassVar[bool] = False
    """Whether it may take a step of LISTA: only where thresholds decide at inference."""

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        super().__init__(setup, generator)
        self.k_now = float(setup.k)
        """k at the step under way."""
        self._low = LowPrecision(setup.precision)
        self._buffer = BlockBuffer()
        self._group_F: Tensor | None = None

    @property
    def subtracts_b_dec(self) -> bool:
        return self.reconstructs_input

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Features of the nested groups, from the innermost out; they add up to F."""
        return (self.setup.features,)

    @property
    def lista_step(self) -> float:
        """η; 0: rows are read once."""
        return self.setup.lista_step if self.reads_twice and self.writes_what_it_reads else 0.0

    def group_of(self, fired_F: Tensor, rows: int) -> Tensor:
        """Return (F,) int64: each feature's group, when so many rows of a batch activate it."""
        del rows
        if self._group_F is None or self._group_F.device != fired_F.device:
            sizes = torch.tensor(self.group_sizes)
            self._group_F = torch.repeat_interleave(sizes).to(fired_F.device)
        return self._group_F

    def _set_k(self, state: StepState) -> None:
        k = self.setup.k
        start = float(self.setup.k_start or self.usual_start * k)
        start = min(start, self.setup.features)
        self.k_now = k + (start - k) * max(0.0, 1 - state.share / FALLEN_AT)

    def initialise_from(self, batch: Batch) -> None:
        super().initialise_from(batch)
        self.centre_b_dec(batch)

    @abstractmethod
    def kept(self, pre_TF: Tensor) -> Tensor:
        """Return (T, F) bool: the positive pre-activations that are kept."""

    def first_activations(self, x_TI: Tensor) -> Tensor:
        """Return the activations (T, F) of a plain reading."""
        pre_TF = self.pre_activations(x_TI)
        return pre_TF * self.kept(pre_TF.detach())

    def encode(self, x_TI: Tensor) -> Tensor:
        first_TF = self.first_activations(x_TI)
        if not self.lista_step:
            return first_TF
        left_TI = self.encoder_input(x_TI) - first_TF @ self.parameters["W_dec"]
        pre_TF = self.pre_activations(x_TI + self.lista_step * left_TI)
        return pre_TF * self.kept(pre_TF.detach())

    def loss(self, batch: Batch, state: StepState) -> Loss:
        rows = len(batch.x_TI)
        self._set_k(state)
        acts_TF = self.encode(batch.x_TI)
        fired_F = (acts_TF.detach() > 0).sum(dim=0)
        written = self.parameters["b_dec"] + self.skipped(batch.x_TI)
        error = batch.y_TO - written - acts_TF @ self.parameters["W_dec"]
        squares, group_F = [], self.group_of(fired_F, rows)
        for group in range(len(self.group_sizes) - 1):
            if self.levels_alone and group:
                written = written.detach()
            written = written + (acts_TF * (group_F == group)) @ self.parameters["W_dec"]
            squares.append((batch.y_TO - written).pow(2).sum() / rows)
        squares.append(error.pow(2).sum() / rows)
        terms = {"reconstruction": torch.stack(squares).mean()}
        if self._has_auxiliary(state):
            terms["auxiliary"] = self.setup.aux_weight * self._auxiliary(
                batch.x_TI, error.detach(), state.dead_F
            )
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, float(fired_F.sum()) / rows)

    @abstractmethod
    def select(self, blocks: EncoderBlocks, mates: BatchMates = ALONE) -> Kept:
        """Return the entries that `kept` keeps, found without the whole matrix in memory.

        `mates` have the rest of the batch, and get the rest of the entries.
        """

    def select_first(self, blocks: EncoderBlocks, mates: BatchMates = ALONE) -> Kept:
        """Return those of the first of two readings."""
        return self.select(blocks, mates)

    @torch.no_grad()
    def gradients(self, batch: Batch, state: StepState) -> Loss:
        """Compute the loss and set the gradients, only the encoder's product densely.

        Pairs of row and feature that are not kept have no part in the rest, so that of the
        six dense products of a step one is left, made in the setup's precision.
        """
        p = self.parameters
        rows, mates = len(batch.x_TI), state.mates
        x_TI = self.encoder_input(batch.x_TI)
        self._set_k(state)
        low = self.setup.precision
        W_enc = self._low.of("W_enc", p["W_enc"])
        b_enc = p["b_enc"].to(low)
        first, read_TI = None, x_TI
        if self.lista_step:
            blocks = EncoderBlocks(x_TI.to(low), W_enc, b_enc, self._buffer)
            first = FirstReading(x_TI, self.select_first(blocks, mates), p, self.lista_step)
            read_TI = first.read_TI
        kept = self.select(EncoderBlocks(read_TI.to(low), W_enc, b_enc, self._buffer), mates)
        active = Active.from_flat(kept.flat, rows, self.setup.features)
        groups = len(self.group_sizes)
        fired_F = mates.summed(active.counts_F)
        group_F = self.group_of(fired_F, mates.rows(rows))
        nested = Nested(active, kept.values, group_F, groups)

        errors_GTO = nested.decode(p["W_dec"])
        errors_GTO += p["b_dec"] - batch.y_TO + self.skipped(batch.x_TI)
        terms = {"reconstruction": errors_GTO.square().sum() / (rows * len(errors_GTO))}
        last_error = errors_GTO[-1].clone() if self._has_auxiliary(state) else None
        share_back = add_last_ if self.levels_alone else reverse_cumsum_
        back_GTO = share_back(errors_GTO.mul_(2 / (rows * groups)))
        p["W_dec"].grad, grad_values = nested.backward(back_GTO, p["W_dec"])

        p["W_enc"].grad = active.gather_rows(grad_values, read_TI)
        p["b_enc"].grad = active.column_sums(grad_values)
        p["b_dec"].grad = back_GTO[0].sum(dim=0)
        if first is not None:
            first.add_gradients(active, grad_values)
        if self.subtracts_b_dec:
            p["b_dec"].grad -= p["b_enc"].grad @ p["W_enc"]
        if "W_skip" in p:
            p["W_skip"].grad = back_GTO[0].T @ batch.x_TI
        if last_error is not None:
            auxiliary = self._auxiliary_gradients(x_TI, last_error.neg_(), state.dead_F)
            terms["auxiliary"] = auxiliary
        total = torch.stack(list(terms.values())).sum()
        return Loss(total, terms, fired_F, mates.per_row(len(active.col), rows))

    def _has_auxiliary(self, state: StepState) -> bool:
        return self.setup.aux_weight > 0 and bool(state.dead_F.any())

    def _auxiliary_gradients(self, x_TI: Tensor, error_TO: Tensor, dead_F: Tensor) -> Tensor:
        """Add AuxK's gradients, densely but over the dead features alone; return its loss."""
        p, low = self.parameters, self.setup.precision
        ids = torch.nonzero(dead_F).squeeze(1)
        W_enc, W_dec = p["W_enc"][ids].to(low), p["W_dec"][ids].to(low)
        b_enc = p["b_enc"][ids].to(low)
        k = min(error_TO.shape[1] // 2, len(ids))
        weight = self.setup.aux_weight / len(x_TI)
        grad_W_enc = torch.zeros_like(W_enc, dtype=torch.float32)
        grad_W_dec = torch.zeros_like(W_dec, dtype=torch.float32)
        grad_b_enc = torch.zeros_like(b_enc, dtype=torch.float32)
        total = error_TO.new_zeros(())
        size = block_rows(len(ids), W_enc.element_size())
        for x, error in zip(torch.split(x_TI, size), torch.split(error_TO, size), strict=True):
            x = x.to(low)
            acts = torch.addmm(b_enc, x, W_enc.T).relu_()
            if k < len(ids):
                acts *= largest_of_each_row(acts, k)
            left = error - acts @ W_dec
            total += weight * left.square().sum()
            back = left.mul_(-2 * weight).to(low)
            grad_acts = torch.ops.aten.threshold_backward(back @ W_dec.T, acts, 0)
            grad_W_dec += acts.T @ back
            grad_W_enc += grad_acts.T @ x
            grad_b_enc += column_sums(grad_acts)
        for name, grad in (("W_enc", grad_W_enc), ("W_dec", grad_W_dec), ("b_enc", grad_b_enc)):
            whole = p[name].grad
            assert whole is not None  # set just before
            whole.index_add_(0, ids, grad)
        return total

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

    @staticmethod
    def step_bytes(features: int, rows: int, element: int) -> int:
        # A block, and what compares it.
        return 3 * min(rows, block_rows(features, element)) * features * element

    @staticmethod
    def default_lr(features: int, steps: int) -> float:
        # Falls with the square root of the dictionary's size (Gao et al., 2024). BatchTopK of
        # 2,048 features on the built-in model reached in 300 steps an FVU of .219 at 1e-3,
        # .160 at 3e-3, .144 at 6e-3 and .143 at 1e-2, where a tenth of the features died.
        return short_run_rate(2e-4 * (2**14 / features) ** 0.5, steps)


class Nested:
    """Active pairs by nested group: each group adds to what those before it have written.

    Shape legend: G groups.
    """

    def __init__(self, active: Active, values: Tensor, group_F: Tensor, groups: int) -> None:
        """Take the pairs in row order with their values (nnz,), and each feature's group."""
        self._rows, self._groups = active.rows, groups
        self._order: Tensor | None = None
        self._pairs, self._values = active, values
        if self._groups > 1:
            group = group_F[active.col]
            self._order = torch.argsort(group.to(torch.uint8), stable=True)
            row = group * active.rows + active.row
            self._pairs = Active(
                active.rows * self._groups,
                active.features,
                row[self._order],
                active.col[self._order],
            )
            self._values = values[self._order]

    def decode(self, W_FO: Tensor) -> Tensor:
        """Return (G, T, O): what the features of the groups up to each one write."""
        written = self._pairs.decode(self._values, W_FO)
        written_GTO = written.view(self._groups, self._rows, -1)
        for group in range(1, self._groups):
            written_GTO[group] += written_GTO[group - 1]
        return written_GTO

    def backward(self, back_GTO: Tensor, W_FO: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of W (F, O) and of the values (nnz,), in row order.

        `back_GTO` is the gradient of what each group itself has added.
        """
        back = back_GTO.view(self._groups * self._rows, -1)
        grad_W = self._pairs.gather_rows(self._values, back)
        grad_values = self._pairs.dots(back, W_FO)
        if self._order is not None:
            grad_values = torch.empty_like(grad_values).scatter_(0, self._order, grad_values)
        return grad_W, grad_values


def reverse_cumsum_(back_GTO: Tensor) -> Tensor:
    """Add to each group's gradient those of the groups after it, in place."""
    for group in range(len(back_GTO) - 2, -1, -1):
        back_GTO[group] += back_GTO[group + 1]
    return back_GTO


def add_last_(back_GTO: Tensor) -> Tensor:
    """Add to each group's gradient that of the last one alone, in place."""
    back_GTO[:-1] += back_GTO[-1]
    return back_GTO


_THRESHOLD_SHARE_OF_RUN = 0.05


class RunningThreshold:
    """The mean of the smallest kept activation over recent batches, kept in a buffer.

    With it a row's activations at inference do not depend on its batch-mates.
    """

    def __init__(self, buffers: dict[str, Tensor], setup: Setup, name: str = "threshold") -> None:
        self._buffers, self._name = buffers, name
        buffers[name] = torch.tensor(-1.0)  # none yet
        # A short run must not remember the thresholds of its beginning.
        shortest = 1 - 1 / (1 + _THRESHOLD_SHARE_OF_RUN * setup.steps)
        self._decay = min(setup.threshold_decay, shortest)

    def update(self, kept: Tensor, mates: BatchMates = ALONE) -> None:
        """Take the activations (n,) kept of a batch, all positive; `mates` have its other rows."""
        smallest = mates.least(kept)
        if smallest is None:
            return
        threshold = self._buffers[self._name]
        before = torch.where(threshold < 0, smallest, threshold)
        threshold.copy_(torch.lerp(before, smallest, 1 - self._decay))

    @property
    def value(self) -> float:
        """The threshold; 0 before the first batch."""
        return max(float(self._buffers[self._name]), 0.0)
