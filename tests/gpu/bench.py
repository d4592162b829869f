"""What the checks of a card share: the device, the sizes, a clock that waits, and what is found."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sae_desktop.devices.abilities import synchronise
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import TrainerState, make_optimiser


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    width: int
    features: int
    batch: int
    k: int
    timed: int
    """Steps of a timing."""
    learnt: int
    """Steps of a curve."""
    model_width: int
    layers: int
    context: int
    tokens: int
    batch_tokens: int


FULL = Sizes(768, 2**15, 4096, 32, 30, 600, 1024, 8, 128, 400_000, 16_384)
TINY = Sizes(16, 64, 64, 4, 2, 12, 32, 2, 16, 600, 64)


@dataclass(frozen=True)
class Figure:
    """One number that was measured, and between what it must lie."""

    name: str
    value: float
    unit: str = ""
    least: float = float("-inf")
    most: float = float("inf")

    @property
    def holds(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        limits = [f"at least {self.least:g}"] * (self.least > float("-inf"))
        limits += [f"at most {self.most:g}"] * (self.most < float("inf"))
        told = (
            f"{'' if self.holds else 'FAILED '}{self.name}: {self.value:.4g} {self.unit}".rstrip()
        )
        return f"{told} ({', '.join(limits)})" if limits else told


@dataclass(frozen=True)
class Bench:
    """Where the checks are made."""

    device: torch.device
    sizes: Sizes
    folder: Path
    timed: bool
    """Whether times are held to limits: only on a card, where nothing else is computed."""

    def limit(self, most: float) -> float:
        return most if self.timed else float("inf")

    def seconds(self, work: Callable[[], object], times: int | None = None) -> float:
        """Return the median time of a call, the device's work included."""
        work()
        found = []
        for _ in range(times or self.sizes.timed):
            synchronise(self.device)
            began = time.perf_counter()
            work()
            synchronise(self.device)
            found.append(time.perf_counter() - began)
        return statistics.median(found)

    def rows(self, count: int, seed: int = 0, width: int | None = None) -> Tensor:
        """Return rows (T, D) on the device that are sparse sums of directions, E‖x‖² = D."""
        width, generator = width or self.sizes.width, torch.Generator().manual_seed(seed)
        sources = 4 * width
        directions = torch.nn.functional.normalize(
            torch.randn(sources, width, generator=torch.Generator().manual_seed(99)), dim=1
        ).to(self.device)
        found = []
        for first in range(0, count, 4096):
            rows = min(4096, count - first)
            on = torch.rand(rows, sources, generator=generator) < self.sizes.k / sources
            sizes = on * (0.5 + torch.rand(rows, sources, generator=generator))
            found.append(sizes.to(self.device) @ directions)
        x_TD = torch.cat(found)
        return x_TD * (width / x_TD.square().sum(dim=1).mean()).sqrt()

    def begun(self, name: str, setup: Setup, sample_TD: Tensor, lr: float) -> TrainerState:
        """Return an architecture at the beginning of a run."""
        architecture = ARCHITECTURES[name](setup, torch.Generator().manual_seed(0))
        architecture.initialise_from(Batch.of(sample_TD.cpu()))
        architecture.to(self.device)
        counter = FiringCounter(setup.features, self.device)
        return TrainerState(architecture, make_optimiser(architecture, lr), counter)


def apart(found: Tensor, expected: Tensor) -> float:
    """Return ‖found − expected‖ / ‖expected‖."""
    gap, size = (found.float() - expected.float()).norm(), expected.float().norm()
    return float(gap / size.clamp_min(1e-12))
