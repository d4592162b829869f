"""What an architecture is to the trainer: parameters, a loss, and how it folds when saved.

Shape legend: T rows, I input width, O output width, F features. A plain dictionary
reconstructs its input, so I = O; a transcoder reads one site and writes another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._rates import short_run_rate
from sae_desktop.dictionary.batch_mates import ALONE, BatchMates
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine


class Batch(NamedTuple):
    """Normalised rows: what is read and what is to be reconstructed, float32."""

    x_TI: Tensor
    y_TO: Tensor
    """The very tensor `x_TI` where the input itself is reconstructed."""

    @classmethod
    def of(cls, x_TD: Tensor) -> Batch:
        """Return the batch of a dictionary that reconstructs its input."""
        return cls(x_TD, x_TD)

    def first(self, rows: int) -> Batch:
        """Return the first rows, all if there are no more."""
        if rows >= len(self.x_TI):
            return self
        x_TI = self.x_TI[:rows]
        return Batch(x_TI, x_TI if self.y_TO is self.x_TI else self.y_TO[:rows])


@dataclass(frozen=True)
class Setup:
    """The size of a dictionary to train, and what its architecture may be told."""

    width: int
    """I."""
    features: int
    """F."""
    steps: int
    """Updates in the whole run."""
    k: int = 32
    """Active features per row, where the architecture fixes them or aims at them."""
    k_start: int = 0
    """Active features per row when the run begins; 0: as is usual for the architecture."""
    lista_step: float = 0.0
    """η of a second reading, for what reconstructs its input with thresholds; 0: there is none."""
    leave_one_out: float = 0.0
    """τ, see `Refinement`; it changes what the finished dictionary does, and not the training."""
    out_width: int | None = None
    """O; None: the input itself is reconstructed."""
    parts: tuple[int, ...] = ()
    """Widths of the output's parts (a crosscoder's layers or models); (): one part."""
    skip: bool = False
    """Whether an affine map leads from the input to the output beside the features."""
    precision: torch.dtype = torch.float32
    """Of what enters the dense products; weights and sums stay float32."""
    aux_weight: float = 1 / 32
    """α of AuxK, the loss from which dead features learn."""
    threshold_decay: float = 0.999
    """Of the running mean of the smallest kept activation (BatchTopK)."""
    init: Literal["random", "data"] = "random"
    """Random directions, or rows of the data less their mean."""
    aims_at_k: bool = False
    """Whether λ is led so that `k` features are active per row (see `aims`)."""


class StepState(NamedTuple):
    """What changes from step to step and is not a parameter."""

    sparsity: float
    """λ after its warm-up, for architectures that have one."""
    dead_F: Tensor
    """(F,) bool: silent over the dead window."""
    share: float = 1.0
    """How much of the run's steps have been taken."""
    mates: BatchMates = ALONE
    """Who has the rows of the batch that this process has not."""


class Loss(NamedTuple):
    """The loss of a batch and what else the trainer wants to know of it."""

    total: Tensor
    """() in units of normalised ‖y‖², mean over rows."""
    terms: dict[str, Tensor]
    """The parts of the total, already weighted: "reconstruction", "sparsity", "auxiliary", …"""
    fired_F: Tensor
    """(F,) int64: rows of the whole batch on which each feature is active."""
    l0: float
    """Active features per row, mean over the whole batch."""


class Architecture(ABC):
    """A dictionary in training, on inputs scaled so that E‖x‖² = D.

    `parameters` are optimised; `buffers` are kept in checkpoints beside them. A subclass
    states its formula once, in `loss`; `gradients` may compute the same faster.
    """

    title: ClassVar[str]
    """Its name as a person reads it."""
    summary: ClassVar[str]
    """What it does, in one line."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Fields of TrainConfig that matter to it and not to every other."""
    default_sparsity: ClassVar[float] = 0.0
    """The recipe's λ; where the architecture aims at k, λ is led instead if none was chosen."""
    aims: ClassVar[bool] = False
    """Whether λ, where none was chosen, is led so that `TrainConfig.k` features are active."""
    sparsity_warm_up: ClassVar[float] = 0.05
    """Share of the run over which λ rises from 0."""

    host_buffers: ClassVar[frozenset[str]] = frozenset()
    """Names of buffers that stay on the CPU: numbers that the host decides by at every step."""

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @abstractmethod
    def __init__(self, setup: Setup, generator: torch.Generator) -> None:
        """Initialise the parameters from the generator."""

    def initialise_from(self, batch: Batch) -> None:  # noqa: B027  (optional hook)
        """Finish the initialisation with a sample of normalised data."""

    def take_over(self, dictionary: Dictionary, source: Affine, target: Affine) -> None:
        """Begin as a finished dictionary of raw rows, so that `folded` returns that very one.

        Raises ValueError, which says why, where this architecture cannot.
        """
        raise ValueError("this architecture has no way to start from another dictionary")

    @abstractmethod
    def encode(self, x_TI: Tensor) -> Tensor:
        """Return the activations (T, F) of normalised rows, as in training."""

    @abstractmethod
    def decode(self, acts_TF: Tensor, x_TI: Tensor) -> Tensor:
        """Return the reconstruction (T, O); `x_TI` matters where there is a skip."""

    @abstractmethod
    def loss(self, batch: Batch, state: StepState) -> Loss:
        """Return the loss of a batch: the formula, plain and differentiable."""

    def gradients(self, batch: Batch, state: StepState) -> Loss:
        """Compute the loss of a batch and set `.grad` of every parameter.

        Loss, terms and gradients are means over the rows that are here.
        """
        for parameter in self.parameters.values():
            parameter.grad = None
        loss = self.loss(batch, state)
        loss.total.backward()  # type: ignore[no-untyped-call]
        rows = len(batch.x_TI)
        return Loss(
            total=loss.total.detach(),
            terms={k: v.detach() for k, v in loss.terms.items()},
            fired_F=state.mates.summed(loss.fired_F),
            l0=state.mates.per_row(loss.l0 * rows, rows),
        )

    def led_sparsity(self, taken: float) -> float:
        """Return λ for the next step of a run that aims at k, `taken` of whose steps are done.

        Raises ValueError for an architecture that does not aim at k (see `aims`).
        """
        raise ValueError("this architecture leads no λ, so a run of it cannot aim at k")

    def constrain_gradients(self) -> None:  # noqa: B027  (optional hook)
        """Change the gradients after the backward pass, before clipping."""

    def constrain_parameters(self) -> None:  # noqa: B027  (optional hook)
        """Restore constraints on the parameters after an update."""

    @abstractmethod
    def folded(self, source: Affine, target: Affine) -> Dictionary:
        """Return the dictionary for raw activations, read through `source`, written to `target`."""

    @staticmethod
    def step_bytes(features: int, rows: int, element: int) -> int:
        """Return the memory that the activations of a step of a given number of rows take.

        `element` is the size of a number in the dense products. By default what autograd keeps:
        nine float32 for every row and feature.
        """
        del element
        return 36 * rows * features

    @staticmethod
    @abstractmethod
    def default_lr(features: int, steps: int) -> float:
        """Return the learning rate to use when none was chosen; short runs take larger steps."""

    @classmethod
    def usual_lr(cls, features: int, steps: int, *, aims_at_k: bool) -> float:
        """Return the learning rate of a run whose λ is led or not, where none was chosen."""
        rate = cls.default_lr(features, steps)
        return short_run_rate(rate, steps) if aims_at_k else rate

    def to(self, device: torch.device) -> None:
        """Move parameters and buffers, keeping the parameters leaves."""
        for name, tensor in self.parameters.items():
            self.parameters[name] = tensor.detach().to(device)
        for name in self.buffers.keys() - self.host_buffers:
            self.buffers[name] = self.buffers[name].detach().to(device)
        for tensor in self.parameters.values():
            tensor.requires_grad_(True)


def random_directions(features: int, width: int, generator: torch.Generator) -> Tensor:
    """Return (F, D) rows of norm one, uniform on the sphere."""
    directions = torch.randn(features, width, generator=generator)
    # In place: a million features of width 512 are 2 GiB.
    return directions.div_(directions.norm(dim=1, keepdim=True))
