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
from sae_desktop.training.trainer import (
    Recipe,
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)

DEAD_SHARE_OF_RUN = 0.1
"""As the job `train` shortens its dead window to."""


class Patient:
    """Watches a run and never ends it."""

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        return True


class OurRun:
    """A run set up as the job does; `train` is what is timed."""

    def __init__(self, args: argparse.Namespace, sample: Tensor, affine: Affine) -> None:
        defaults = TrainConfig(project="", name="")
        device = torch.device("cpu")
        steps = args.rows // args.batch
        kind = ARCHITECTURES[args.architecture]
        setup = Setup(
            width=sample.shape[1],
            features=args.features,
            steps=steps,
            k=args.k,
            precision=resolve_precision(args.precision, device),
            aux_weight=defaults.aux_weight,
            threshold_decay=defaults.threshold_decay,
        )
        self._affine = affine
        self._architecture = kind(setup, torch.Generator().manual_seed(args.seed))
        self._architecture.initialise_from(Batch.of(affine.apply(sample)))
        self._architecture.to(device)
        recipe = Recipe(
            steps=steps,
            lr=args.lr,
            sparsity=args.sparsity if args.architecture == "standard" else kind.default_sparsity,
            dead_window=int(DEAD_SHARE_OF_RUN * args.rows),
            lr_decay=defaults.lr_decay,
            sparsity_warm_up=kind.sparsity_warm_up,
        )
        state = TrainerState(
            architecture=self._architecture,
            optimiser=make_optimiser(self._architecture, args.lr),
            firing=FiringCounter(args.features, device),
        )
        self._run = Run(state, recipe, Patient())

    def train(self, batches: Iterable[Tensor]) -> None:
        """Take a step a batch of normalised rows."""
        train_loop([self._run], map(Batch.of, batches))

    def dictionary(self) -> Dictionary:
        return self._architecture.folded(self._affine, self._affine)
