"""BatchTopK (Bussmann et al., 2024): the k·T largest activations of a batch of T rows.

Inference uses a threshold, so that a row's activations do not depend on the batch; where rows are
read twice, one for each reading.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._k_sparse import KSparse, RunningThreshold
from sae_desktop.dictionary.architectures._unfold import one_threshold
from sae_desktop.dictionary.architectures.base import Batch, Loss, Setup, StepState
from sae_desktop.dictionary.batch_mates import ALONE, BatchMates
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.refinement import Refinement
from sae_desktop.dictionary.selection import EncoderBlocks, Kept, LargestOfBatch


class BatchTopK(KSparse):
    """`buffers["threshold"]`: mean of the smallest kept activation, −1 before the first step."""

    title = "BatchTopK"
    summary = "Keeps the k largest activations per row, on average over the batch."
    settings = ("k", "k_start", "aux_weight", "threshold_decay", "lista_step", "leave_one_out")
    reads_twice = True

    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        super().__init__(setup, generator)
        self._threshold = RunningThreshold(self.buffers, setup)
        self._largest = LargestOfBatch()
        if self.lista_step:
            self._first_threshold = RunningThreshold(self.buffers, setup, "first_threshold")
            self._first_largest = LargestOfBatch()

    def kept(self, pre_TF: Tensor) -> Tensor:
        flat = pre_TF.reshape(-1)
        count = min(round(self.k_now * len(pre_TF)), len(flat))
        best = torch.topk(flat, count, sorted=False).indices
        kept = torch.zeros_like(flat, dtype=torch.bool).index_fill_(0, best, True)
        return kept.view_as(pre_TF) & (pre_TF > 0)

    def loss(self, batch: Batch, state: StepState) -> Loss:
        self._set_k(state)
        with torch.no_grad():
            acts_TF = self.encode(batch.x_TI)
            self._threshold.update(acts_TF[acts_TF > 0])
            if self.lista_step:
                acts_TF = self.first_activations(batch.x_TI)
                self._first_threshold.update(acts_TF[acts_TF > 0])
        return super().loss(batch, state)

    def select(self, blocks: EncoderBlocks, mates: BatchMates = ALONE) -> Kept:
        kept = self._largest(blocks, round(self.k_now * mates.rows(blocks.rows)), mates)
        self._threshold.update(kept.values, mates)
        return kept

    def select_first(self, blocks: EncoderBlocks, mates: BatchMates = ALONE) -> Kept:
        kept = self._first_largest(blocks, round(self.k_now * mates.rows(blocks.rows)), mates)
        self._first_threshold.update(kept.values, mates)
        return kept

    def take_over(self, dictionary: Dictionary, source: Affine, target: Affine) -> None:
        super().take_over(dictionary, source, target)
        second = dictionary.refinement
        if not self.lista_step or second is None or second.first_threshold is None:
            return
        assert dictionary.threshold is not None
        # Both thresholds are of one feature's activations, which were scaled alike.
        share = one_threshold(second.first_threshold) / one_threshold(dictionary.threshold)
        self.buffers["first_threshold"].copy_(self.buffers["threshold"] * share)

    def take_threshold(self, threshold: Tensor | None) -> None:
        self.buffers["threshold"].copy_(one_threshold(threshold))

    def folded_threshold(self) -> Tensor:
        return self._same(self._threshold)

    def folded_refinement(self) -> Refinement | None:
        if not self.lista_step:
            return super().folded_refinement()
        return Refinement(self.lista_step, self._same(self._first_threshold), self.leave_one_out)

    def _same(self, threshold: RunningThreshold) -> Tensor:
        return torch.full_like(self.parameters["b_enc"].detach(), threshold.value)
