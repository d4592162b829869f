"""Matryoshka whose levels hold the most frequent features, and learn without those between.

After the recipe found for SynthSAEBench in 2026, without its second encoding step. Levels are
sorted anew at each step, by how often features have been active lately. A level's features learn
from what those before it, taken as they are, leave over, and from the whole dictionary's error.
k begins higher and falls.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures.base import Setup
from sae_desktop.dictionary.architectures.matryoshka import Matryoshka

_MEMORY = 0.99
"""Of the running mean of how often a feature is active, a step."""


class SortedMatryoshka(Matryoshka):
    """`buffers["frequency"]` (F,): how often each feature is active, −1 before the first step."""

    title = "Matryoshka by frequency"
    summary = "Nested dictionaries: the most frequent features come first, and k falls to its end."
    usual_start = 2.4
    levels_alone = True

    def __init__(
        self,
        setup: Setup,
        generator: torch.Generator,
        group_sizes: tuple[int, ...] | None = None,
    ) -> None:
        """Take the levels' sizes, or the usual shares of the features."""
        super().__init__(setup, generator, group_sizes)
        self._ends: Tensor | None = None
        self.buffers["frequency"] = torch.full((setup.features,), -1.0)

    @torch.no_grad()
    def group_of(self, fired_F: Tensor, rows: int) -> Tensor:
        frequency, latest = self.buffers["frequency"], fired_F / rows
        before = torch.where(frequency < 0, latest, frequency)
        frequency.copy_(torch.lerp(before, latest, 1 - _MEMORY))
        rank = torch.empty_like(fired_F)
        order = torch.argsort(frequency, descending=True, stable=True)
        rank[order] = torch.arange(len(rank), device=rank.device)
        if self._ends is None or self._ends.device != rank.device:
            ends = torch.tensor(list(itertools.accumulate(self.group_sizes)))
            self._ends = ends.to(rank.device)
        return torch.bucketize(rank, self._ends, right=True)
