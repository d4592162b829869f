"""Toy data with known features, and a short way to train on it.

Shape legend: T rows, n true features, D width of the data, F features of the dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Architecture, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import (
    Recipe,
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)


def unit_directions(n: int, d: int, seed: int = 0) -> Tensor:
    """(n, D) random rows of norm one."""
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, d, generator=generator))


@dataclass(frozen=True)
class ToyData:
    """n features in d dimensions, each on by itself with its probability, E‖x‖² = d."""

    directions: Tensor
    probability: float | Tensor = 0.05
    """One for all, or (n,)."""
    low: float = 0.5
    high: float = 1.5

    @classmethod
    def make(cls, n: int = 64, d: int = 32, seed: int = 0, **rest: float) -> ToyData:
        return cls(unit_directions(n, d, seed), **rest)

    def on(self, rows: int, generator: torch.Generator) -> Tensor:
        """(T, n) bool: which features are on in each row."""
        return torch.rand(rows, len(self.directions), generator=generator) < self.probability

    def activations(self, rows: int, generator: torch.Generator) -> Tensor:
        """(T, n) magnitudes of the features, in the units of `batch`."""
        on = self.on(rows, generator)
        size = self.low + (self.high - self.low) * torch.rand(on.shape, generator=generator)
        return on * size * self.scale

    def batch(self, rows: int, generator: torch.Generator) -> Tensor:
        """(T, D)"""
        return self.activations(rows, generator) @ self.directions

    @cached_property
    def scale(self) -> float:
        """What brings E‖x‖² to d: E Σ_ij a_i a_j ⟨d_i, d_j⟩, from the moments of what is on."""
        mean = (self.low + self.high) / 2
        square = mean**2 + (self.high - self.low) ** 2 / 12
        moments = mean**2 * self.on_together()
        moments.diagonal().mul_(square / mean**2)
        power = float((moments * (self.directions @ self.directions.T)).sum())
        return float((self.directions.shape[1] / power) ** 0.5)

    def on_together(self) -> Tensor:
        """(n, n) probabilities that two features are on in one row, a feature's own on the
        diagonal."""
        each = torch.as_tensor(self.probability).expand(len(self.directions))
        return torch.outer(each, each).fill_diagonal_(0) + torch.diag(each)


@dataclass(frozen=True)
class FamilyData(ToyData):
    """A parent with four children that exclude each other, beside features on their own.

    Feature 0 is the parent, 1 to 4 its children: one of them is on in `with_child` of the rows
    the parent is on in, and none where it is not.
    """

    parent: float = 0.3
    with_child: float = 0.8
    low: float = 1.0
    high: float = 1.0

    def on(self, rows: int, generator: torch.Generator) -> Tensor:
        on = super().on(rows, generator)
        parent = torch.rand(rows, generator=generator) < self.parent
        child = torch.randint(4, (rows,), generator=generator)
        child[torch.rand(rows, generator=generator) >= self.with_child] = -1
        on[:, 0] = parent
        for number in range(4):
            on[:, 1 + number] = parent & (child == number)
        return on

    def on_together(self) -> Tensor:
        alone = torch.as_tensor(self.probability).expand(len(self.directions)).clone()
        alone[0], alone[1:5] = self.parent, self.parent * self.with_child / 4
        both = torch.outer(alone, alone)
        both[1:5, 1:5] = 0
        both[0, 1:5] = both[1:5, 0] = alone[1]
        both.diagonal().copy_(alone)
        return both


@dataclass(frozen=True)
class CorrelatedData(ToyData):
    """Features on together or apart: a Gaussian of random correlations, cut at the probability."""

    factors: int = 16
    strength: float = 0.7
    """Share of each feature's variance that the common factors make."""

    def on(self, rows: int, generator: torch.Generator) -> Tensor:
        n = len(self.directions)
        loadings = unit_directions(n, self.factors, seed=1)
        common = torch.randn(rows, self.factors, generator=generator) @ loadings.T
        own = torch.randn(rows, n, generator=generator)
        mixed = self.strength**0.5 * common + (1 - self.strength) ** 0.5 * own
        return mixed > NormalDist().inv_cdf(1 - float(self.probability))

    def on_together(self) -> Tensor:
        on = self.on(100_000, torch.Generator().manual_seed(2)).float()
        return on.T @ on / len(on)


@dataclass(frozen=True)
class ZipfData(ToyData):
    """Concepts whose frequency falls with their rank; rows are drawn again from a fixed pool."""

    @classmethod
    def ranked(cls, n: int = 400, d: int = 64, most: float = 0.4) -> ZipfData:
        """The r-th of n features is on with probability most / r."""
        return cls(unit_directions(n, d), probability=most / torch.arange(1.0, n + 1))

    @cached_property
    def pool(self) -> Tensor:
        """(131072, D)"""
        generator = torch.Generator().manual_seed(11)
        return torch.cat([super(ZipfData, self).batch(4096, generator) for _ in range(32)])

    def batch(self, rows: int, generator: torch.Generator) -> Tensor:
        return self.pool[torch.randint(len(self.pool), (rows,), generator=generator)]


class _Patient:
    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        return True


def train_toy(data: ToyData, name: str, **settings: Any) -> Dictionary:
    """Train on fresh toy batches as `toy_architecture` does, and return the folded dictionary."""
    whole = Affine.scaling(1.0, data.directions.shape[1])
    return toy_architecture(data, name, **settings).folded(whole, whole)


def toy_architecture(
    data: ToyData,
    name: str,
    *,
    features: int = 128,
    k: int = 3,
    sparsity: float | None = 1.0,
    steps: int = 1500,
    rows: int = 1024,
    lr: float = 0.0,
    seed: int = 0,
    aims_at_k: bool = False,
    **more: Any,
) -> Architecture:
    """Train on fresh toy batches.

    `sparsity` is 1, since a toy feature carries a tenth of the rows' power, and the weights
    that suit a real model would let none of them through. `more` goes to the architecture.
    """
    generator = torch.Generator().manual_seed(seed)
    setup = Setup(data.directions.shape[1], features, steps, k, aims_at_k=aims_at_k)
    architecture = ARCHITECTURES[name](setup, generator, **more)
    train_architecture(
        architecture,
        lambda count: Batch.of(data.batch(count, generator)),
        features=features,
        sparsity=sparsity,
        steps=steps,
        rows=rows,
        lr=lr,
        aims_at_k=aims_at_k,
    )
    return architecture


def train_architecture(
    architecture: Architecture,
    sample: Callable[[int], Batch],
    *,
    features: int,
    steps: int,
    rows: int = 1024,
    sparsity: float | None = None,
    lr: float = 0.0,
    aims_at_k: bool = False,
) -> None:
    """Train in the real loop on batches of `sample`; the rates are the defaults where not named."""
    architecture.initialise_from(sample(4096))
    architecture.to(torch.device("cpu"))
    lr = lr or architecture.usual_lr(features, steps, aims_at_k=aims_at_k)
    state = TrainerState(
        architecture, make_optimiser(architecture, lr), FiringCounter(features, torch.device("cpu"))
    )

    def batches() -> Iterator[Batch]:
        for _ in range(steps):
            yield sample(rows)

    recipe = Recipe(
        steps,
        lr,
        architecture.default_sparsity if sparsity is None else sparsity,
        rows * steps // 10,
        sparsity_warm_up=architecture.sparsity_warm_up,
        aims_at_k=aims_at_k,
    )
    train_loop([Run(state, recipe, _Patient())], batches())


def best_cosines(truth: Tensor, found: Tensor) -> Tensor:
    """(n,) of each true feature: the best cosine in the dictionary."""
    unit = torch.nn.functional.normalize
    return (unit(truth) @ unit(found).T).max(dim=1).values


def mean_max_cosine(truth: Tensor, found: Tensor) -> float:
    """MMCS: the mean over true features of the best cosine in the dictionary."""
    return float(best_cosines(truth, found).mean())


def shown_alone(data: ToyData, dictionary: Dictionary) -> Tensor:
    """(n,) each true feature's activation, in its own best feature, when on alone at
    magnitude 1, as a share of what it is."""
    best = (data.directions @ dictionary.W_dec.T).argmax(dim=1)
    acts = dictionary.encode(data.directions * data.scale)
    return acts[torch.arange(len(best)), best] / data.scale
