"""The training loop. It is handed its data, its observers and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sae_desktop.devices.abilities import scales_in_fused_step
from sae_desktop.dictionary.architectures import Architecture, Batch, Loss, StepState
from sae_desktop.dictionary.batch_mates import ALONE, BatchMates
from sae_desktop.training.measuring.metrics import FiringCounter
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
    mates: BatchMates = ALONE
    """Who has the rows of each batch that this process has not …"""
    align: Callable[[], None] = lambda: None
    """… and what makes all else the same for them again."""

    @property
    def device(self) -> torch.device:
        return self.firing.silent_rows.device


@dataclass(frozen=True)
class Recipe:
    """The numbers that steer a run; shares are of the whole run."""

    steps: int
    lr: float
    sparsity: float
    """λ after its warm-up, where it is not led."""
    dead_window: int
    lr_warm_up: float = 0.0
    lr_decay: float = 0.2
    sparsity_warm_up: float = 0.05
    gradient_clip: float = MAX_GRADIENT_NORM
    """Largest norm of the whole gradient; 0: not clipped."""
    aims_at_k: bool = False
    """Whether the architecture leads λ so that k features are active, whatever `sparsity` is."""


@dataclass(frozen=True)
class StepReport:
    """What one step showed."""

    loss: Tensor
    """() on the device, not read back unless somebody asks."""
    terms: dict[str, Tensor]
    l0: float
    gradient_norm: Tensor
    """() before clipping."""
    lr: float
    sparsity: float
    """λ as it was used."""


class Observer(Protocol):
    """Who watches a run: logs curves, saves checkpoints, may ask it to end."""

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        """Return False to end the run here."""


@dataclass
class Run:
    """One dictionary in training. `recipe` may be replaced between steps."""

    state: TrainerState
    recipe: Recipe
    observer: Observer
    rows: int | None = None
    """Rows of the whole run; None: as many as come."""
    select: Callable[[Batch], Batch] | None = None
    """What it is given of a batch of several dictionaries' rows; None: all of it."""
    stepping: bool = False
    """Whether a step is under way, and the state that of no one moment."""


def make_optimiser(architecture: Architecture, lr: float) -> torch.optim.Optimizer:
    """Return Adam without weight decay over the architecture's parameters."""
    return torch.optim.Adam(architecture.parameters.values(), lr=lr, betas=ADAM_BETAS, fused=True)


def train_loop(runs: Sequence[Run], batches: Iterable[Batch], *, start: int | None = None) -> None:
    """Give every run each batch, until the batches or all observers' patience end.

    `start` is the number of rows before the first batch, by default those the first run has
    had; a run that has had more of them joins in where it stands.
    """
    going = list(runs)
    position = going[0].state.rows if start is None else start
    mates = going[0].state.mates
    for batch in batches:
        mates.begin(position)
        going = [run for run in going if _advance(run, batch, position)]
        position += mates.rows(len(batch.x_TI))
        if not going:
            return


def _advance(run: Run, batch: Batch, position: int) -> bool:
    """Take a run's step, if the batch is its next one; return whether the run continues."""
    if run.state.rows != position:
        return True
    if run.rows is not None:
        batch = batch.first(run.rows - position)
    if run.select is not None:
        batch = run.select(batch)
    run.stepping = True
    report = train_step(run.state, run.recipe, batch)
    run.stepping = False
    return run.observer.after_step(run.state, report) and run.state.rows != run.rows


def train_step(state: TrainerState, recipe: Recipe, batch: Batch) -> StepReport:
    """Update a dictionary with one batch."""
    architecture, optimiser = state.architecture, state.optimiser
    lr = learning_rate(state.step, recipe)
    taken = min(1.0, state.step / recipe.steps)
    if recipe.aims_at_k:
        sparsity = architecture.led_sparsity(taken)
    else:
        sparsity = sparsity_coefficient(state.step, recipe)
    for group in optimiser.param_groups:
        group["lr"] = lr
    dead_F = state.firing.dead(recipe.dead_window)

    own = len(batch.x_TI)
    loss = architecture.gradients(batch, StepState(sparsity, dead_F, taken, state.mates))
    _average(architecture, loss, state.mates, own)
    architecture.constrain_gradients()
    norm = _clip(architecture, optimiser, recipe.gradient_clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)  # who measures between steps has that memory
    architecture.constrain_parameters()

    rows = state.mates.rows(own)
    state.firing.update(loss.fired_F, rows)
    state.step += 1
    state.rows += rows
    return StepReport(loss.total, loss.terms, loss.l0, norm, lr, sparsity)


def _average(architecture: Architecture, loss: Loss, mates: BatchMates, own: int) -> None:
    """Have loss, terms and gradients of the own rows become those of the whole batch."""
    gradients = [p.grad for p in architecture.parameters.values() if p.grad is not None]
    mates.average_([*gradients, loss.total, *loss.terms.values()], own)


def _clip(architecture: Architecture, optimiser: torch.optim.Optimizer, largest: float) -> Tensor:
    """Return the gradient's norm, and have it shortened to `largest`.

    A fused update divides gradients by `grad_scale` as it reads them, which saves a pass over
    all of them, where the device's does.
    """
    gradients = [p.grad for p in architecture.parameters.values() if p.grad is not None]
    norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    if largest > 0:
        scale = (norm / largest).clamp_min(1.0)
        if scales_in_fused_step(norm.device):
            optimiser.grad_scale = scale  # type: ignore[attr-defined]
            optimiser.found_inf = torch.zeros_like(scale)  # type: ignore[attr-defined]
        else:
            for gradient in gradients:
                gradient.div_(scale)
    return norm
