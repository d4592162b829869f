"""Toy data with known features, and a short way to train on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.training.metrics import FiringCounter
from sae_desktop.training.trainer import (
    Recipe,
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)


@dataclass(frozen=True)
class ToyData:
    """n random unit features in d dimensions, each on with probability p, scaled to E‖x‖² = d."""

    directions: Tensor
    probability: float = 0.05
    low: float = 0.5
    high: float = 1.5

    @classmethod
    def make(cls, n: int = 64, d: int = 32, seed: int = 0, **rest: float) -> ToyData:
        generator = torch.Generator().manual_seed(seed)
        return cls(torch.nn.functional.normalize(torch.randn(n, d, generator=generator)), **rest)

    def batch(self, rows: int, generator: torch.Generator) -> Tensor:
        n = len(self.directions)
        on = torch.rand(rows, n, generator=generator) < self.probability
        size = self.low + (self.high - self.low) * torch.rand(rows, n, generator=generator)
        return (on * size) @ self.directions * self.scale

    @property
    def scale(self) -> float:
        n, d = self.directions.shape
        mean, square = self._moments()
        cross = self.directions @ self.directions.T
        diagonal = n * self.probability * square
        off = float(cross.sum() - cross.diagonal().sum()) * (self.probability * mean) ** 2
        return float((d / (diagonal + off)) ** 0.5)

    def _moments(self) -> tuple[float, float]:
        mean = (self.low + self.high) / 2
        return mean, mean**2 + (self.high - self.low) ** 2 / 12


class _Patient:
    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        return True


def train_toy(
    data: ToyData,
    name: str,
    *,
    features: int = 128,
    k: int = 3,
    l1: float = 1.0,
    steps: int = 1500,
    rows: int = 1024,
    lr: float = 0.0,
    seed: int = 0,
) -> Dictionary:
    """Train on fresh toy batches and return the folded dictionary."""
    generator = torch.Generator().manual_seed(seed)
    width = data.directions.shape[1]
    architecture = ARCHITECTURES[name](Setup(width, features, steps, k), generator)
    architecture.initialise_from(Batch.of(data.batch(4096, generator)))
    architecture.to(torch.device("cpu"))
    lr = lr or architecture.default_lr(features, steps)
    state = TrainerState(
        architecture, make_optimiser(architecture, lr), FiringCounter(features, torch.device("cpu"))
    )

    def batches() -> Iterator[Batch]:
        for _ in range(steps):
            yield Batch.of(data.batch(rows, generator))

    recipe = Recipe(steps, lr, l1, rows * steps // 10)
    train_loop([Run(state, recipe, _Patient())], batches())
    whole = Affine.scaling(1.0, width)
    return architecture.folded(whole, whole)


def mean_max_cosine(truth: Tensor, found: Tensor) -> float:
    """MMCS: the mean over true features of the best cosine in the dictionary."""
    found = torch.nn.functional.normalize(found)
    return float((truth @ found.T).max(dim=1).values.mean())
