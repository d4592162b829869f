"""Toy batches whose output is not the input, or has several parts, and a way to train on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import Architecture, Batch
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import (
    Recipe,
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)


class _Patient:
    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        return True


def train_on(
    architecture: Architecture,
    batch: Callable[[], Batch],
    *,
    steps: int,
    lr: float,
    sparsity: float,
) -> None:
    """Train on fresh batches by the real loop."""
    architecture.initialise_from(batch())
    architecture.to(torch.device("cpu"))
    features = len(architecture.parameters["b_enc"])
    counter = FiringCounter(features, torch.device("cpu"))
    state = TrainerState(architecture, make_optimiser(architecture, lr), counter)
    recipe = Recipe(
        steps, lr, sparsity, dead_window=10**9, sparsity_warm_up=architecture.sparsity_warm_up
    )
    train_loop([Run(state, recipe, _Patient())], (batch() for _ in range(steps)))


@dataclass(frozen=True)
class TwoModels:
    """Features of two models side by side: shared ones with a direction in each, and exclusive.

    Rows x = (x^a, x^b), each part scaled so that E‖x^m‖² = D.
    """

    shared: int = 40
    exclusive: int = 10
    width: int = 32
    probability: float = 0.05
    seed: int = 0

    @property
    def directions(self) -> tuple[Tensor, Tensor]:
        """(n, D) of each model, zero where it lacks a feature: shared, a's own, b's own."""
        generator = torch.Generator().manual_seed(self.seed)
        n = self.shared + 2 * self.exclusive
        parts = []
        for own in (0, 1):
            part = torch.nn.functional.normalize(torch.randn(n, self.width, generator=generator))
            lacking = self.shared + (1 - own) * self.exclusive
            part[lacking : lacking + self.exclusive] = 0
            parts.append(part)
        return parts[0], parts[1]

    def batch(self, rows: int, generator: torch.Generator) -> Tensor:
        """(T, 2·D)"""
        n = self.shared + 2 * self.exclusive
        on = torch.rand(rows, n, generator=generator) < self.probability
        size = 0.5 + torch.rand(rows, n, generator=generator)
        parts = [(on * size) @ part for part in self.directions]
        # E‖x^m‖² with magnitudes 0.5 … 1.5: a second moment of 13/12 for each feature there is.
        present = self.shared + self.exclusive
        power = present * self.probability * 13 / 12
        return torch.cat([part * (self.width / power) ** 0.5 for part in parts], dim=1)
