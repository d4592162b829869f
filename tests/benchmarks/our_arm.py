"""The arm of `against_saelens.py` that is this project's: its loop, as its job sets it up."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.run_setup import recipe_of
from sae_desktop.training.trainer import (
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)


class Patient:
    """Watches a run and never ends it."""

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        return True


class OurRun:
    """A run set up as the job does; `train` is what is timed."""

    def __init__(self, args: argparse.Namespace, sample: Tensor, affine: Affine) -> None:
        kind = ARCHITECTURES[args.architecture]
        config = TrainConfig(
            project="", name="", activations="a", architecture=args.architecture,
            features=args.features, k=args.k, k_start=args.k_start, lista_step=args.lista,
            tokens=args.rows, batch=args.batch, lr=args.lr,
            # None has λ led to k, where an architecture can; 0 would be no loss of sparsity at all.
            sparsity=(args.sparsity or None) if args.architecture == "standard" else None,
        )  # fmt: skip
        recipe = recipe_of(config)
        device = torch.device("cpu")
        setup = Setup(
            width=sample.shape[1], features=args.features, steps=recipe.steps, k=args.k,
            k_start=config.k_start, lista_step=config.lista_step, aims_at_k=recipe.aims_at_k,
            precision=resolve_precision(args.precision, device), aux_weight=config.aux_weight,
            threshold_decay=config.threshold_decay,
        )  # fmt: skip
        self._affine = affine
        self._architecture = kind(setup, torch.Generator().manual_seed(args.seed))
        self._architecture.initialise_from(Batch.of(affine.apply(sample)))
        self._architecture.to(device)
        state = TrainerState(
            architecture=self._architecture,
            optimiser=make_optimiser(self._architecture, recipe.lr),
            firing=FiringCounter(args.features, device),
        )
        self._run = Run(state, recipe, Patient())

    def train(self, batches: Iterable[Tensor]) -> None:
        """Take a step a batch of normalised rows."""
        train_loop([self._run], map(Batch.of, batches))

    def dictionary(self) -> Dictionary:
        return self._architecture.folded(self._affine, self._affine)
