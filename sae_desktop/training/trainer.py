"""The training loop. It is handed its data, its observer and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import Architecture, StepState
from sae_desktop.training.metrics import FiringCounter
from sae_desktop.training.schedules import learning_rate, sparsity_coefficient

MAX_GRADIENT_NORM = 1.0
ADAM_BETAS = (0.9, 0.999)


@dataclass
class TrainerState:
    """What a run consists of at one moment."""

    architecture: Architecture
    optimiser: torch.optim.Optimizer
    firing: FiringCounter
    step: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Recipe:
    """The numbers that steer a run."""

    steps: int
    lr: float
    sparsity_coefficient: float
    dead_window: int


@dataclass(frozen=True)
class StepReport:
    """What one step showed."""

    loss: Tensor
    """() on the device, not read back unless somebody asks."""
    l0: float
    lr: float
    sparsity_coefficient: float


class Observer(Protocol):
    """Who watches the loop: logs curves, saves checkpoints, may ask it to end."""

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        """Return False to end the run here."""


def make_optimiser(architecture: Architecture, lr: float) -> torch.optim.Optimizer:
    """Return Adam without weight decay over the architecture's parameters."""
    return torch.optim.Adam(architecture.parameters.values(), lr=lr, betas=ADAM_BETAS, fused=True)


def train_loop(
    state: TrainerState, recipe: Recipe, batches: Iterable[Tensor], observer: Observer
) -> None:
    """Take a step a batch, until the batches or the observer's patience end."""
    architecture, optimiser = state.architecture, state.optimiser
    parameters = list(architecture.parameters.values())
    for x_TD in batches:
        lr = learning_rate(state.step, recipe.steps, recipe.lr)
        coefficient = sparsity_coefficient(state.step, recipe.steps, recipe.sparsity_coefficient)
        for group in optimiser.param_groups:
            group["lr"] = lr
        dead_F = state.firing.dead(recipe.dead_window)

        loss = architecture.loss(x_TD, StepState(coefficient, dead_F))
        optimiser.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        architecture.constrain_gradients()
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
        optimiser.step()
        architecture.constrain_parameters()

        state.firing.update(loss.fired_F, len(x_TD))
        state.step += 1
        state.rows += len(x_TD)
        report = StepReport(loss.total.detach(), loss.l0, lr, coefficient)
        if not observer.after_step(state, report):
            return
