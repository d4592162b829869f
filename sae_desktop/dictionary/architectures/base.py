"""What an architecture is to the trainer: parameters, a loss, and how it folds when saved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary


@dataclass(frozen=True)
class Setup:
    """The size of a dictionary to train and of its run."""

    width: int
    """D."""
    features: int
    """F."""
    k: int
    """Active features per row, where the architecture fixes them."""
    steps: int
    """Updates in the whole run."""


class StepState(NamedTuple):
    """What changes from step to step and is not a parameter."""

    sparsity_coefficient: float
    """λ after its warm-up, for architectures that have one."""
    dead_F: Tensor
    """(F,) bool: silent over the dead window."""


class Loss(NamedTuple):
    """The loss of a batch and what else the trainer wants to know of it."""

    total: Tensor
    """() differentiable, in units of normalised ‖x‖², mean over rows."""
    fired_F: Tensor
    """(F,) bool or count: features active in this batch."""
    l0: float
    """Active features per row, mean."""


class Architecture(ABC):
    """A dictionary in training, on inputs scaled so that E‖x‖² = D.

    `parameters` are optimised; `buffers` are kept in checkpoints beside them.
    """

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @abstractmethod
    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        """Initialise the parameters from the generator."""

    @abstractmethod
    def initialise_from(self, sample_TD: Tensor) -> None:
        """Finish the initialisation with a sample of normalised data."""

    @abstractmethod
    def loss(self, x_TD: Tensor, state: StepState) -> Loss:
        """Return the loss of a batch of normalised rows."""

    def constrain_gradients(self) -> None:  # noqa: B027  (optional hook)
        """Change the gradients after the backward pass, before clipping."""

    def constrain_parameters(self) -> None:  # noqa: B027  (optional hook)
        """Restore constraints on the parameters after an update."""

    @abstractmethod
    def folded(self, scalar: float) -> Dictionary:
        """Return the dictionary for raw activations; inputs were raw × scalar."""

    @staticmethod
    @abstractmethod
    def default_lr(features: int, steps: int) -> float:
        """Return the learning rate to use when none was chosen; short runs take larger steps."""

    def to(self, device: torch.device) -> None:
        """Move parameters and buffers, keeping the parameters leaves."""
        for group in (self.parameters, self.buffers):
            for name, tensor in group.items():
                group[name] = tensor.detach().to(device)
        for tensor in self.parameters.values():
            tensor.requires_grad_(True)


def random_directions(features: int, width: int, generator: torch.Generator) -> Tensor:
    """Return (F, D) rows of norm one, uniform on the sphere."""
    return torch.nn.functional.normalize(torch.randn(features, width, generator=generator), dim=1)
