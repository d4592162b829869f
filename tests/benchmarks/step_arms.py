"""One training step of each library, as a function to be timed.

Every arm keeps its own defaults but for the size, k and the seed. All are given the same
batches, already on the device and normalised, so that no time is spent on data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import ARCHITECTURES, Architecture, Batch, Setup
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

CPU = torch.device("cpu")
LR = 1e-6
"""So small that what was set up, the L0 above all, stays over the timed steps."""
STEPS = 100_000
"""Of the run that the timed steps are taken from: far from all warm-ups and decays."""

_INSTALL = "pip install 'sae-desktop[benchmark]'"


class MissingPeerError(Exception):
    """A library to compare with is not installed."""


class Size(NamedTuple):
    """What all arms train."""

    width: int
    features: int
    batch: int
    k: int = 32

    def __str__(self) -> str:
        return f"{self.width}×{self.features}×{self.batch}"


@dataclass
class Arm:
    """A library's architecture and its step, which takes a batch (T, D)."""

    library: str
    architecture: str
    step: Callable[[Tensor], float | None]
    """Returns the mean L0 of the batch where the library tells."""

    @property
    def name(self) -> str:
        return f"{self.library} {self.architecture}"


def our_arm(
    architecture: str, size: Size, precision: torch.dtype, l0: float, sample: Tensor
) -> Arm:
    """Return the step of `training/trainer.py`, with the real optimiser.

    A fresh dictionary without a k is active on half of its features. Its encoder biases are
    lowered here until `l0` are, as after some training; 0 leaves them alone.
    """
    setup = Setup(
        width=size.width, features=size.features, steps=STEPS, k=size.k, precision=precision
    )
    kind = ARCHITECTURES[architecture]
    dictionary = kind(setup, torch.Generator().manual_seed(0))
    dictionary.initialise_from(Batch.of(sample))
    dictionary.to(torch.device("cpu"))
    if l0 and "k" not in kind.settings:
        _lower_biases(dictionary, sample, l0)
    state = TrainerState(
        architecture=dictionary,
        optimiser=make_optimiser(dictionary, LR),
        firing=FiringCounter(size.features, torch.device("cpu")),
        step=STEPS // 2,
    )
    sparsity = kind.default_sparsity
    recipe = Recipe(steps=STEPS, lr=LR, sparsity=sparsity, dead_window=10**12)

    def step(x_TD: Tensor) -> float:
        return train_step(state, recipe, Batch.of(x_TD)).l0

    name = str(precision).removeprefix("torch.")
    return Arm(f"ours, {name}", architecture, step)


@torch.no_grad()
def _lower_biases(dictionary: Architecture, sample: Tensor, l0: float) -> None:
    bias = dictionary.parameters["b_enc"]
    start = bias.detach().clone()
    low, high = 0.0, 64.0
    for _ in range(24):
        middle = (low + high) / 2
        bias.copy_(start - middle)
        active = float((dictionary.encode(sample) > 0).sum()) / len(sample)
        low, high = (middle, high) if active > l0 else (low, middle)


def saelens_arm(architecture: str, size: Size, device: torch.device = CPU) -> Arm:
    """Return the step of SAELens's own trainer."""
    try:
        import sae_lens
        from sae_lens.config import SAETrainerConfig
        from sae_lens.training.sae_trainer import SAETrainer
    except ImportError as error:
        raise MissingPeerError(f"SAELens is not installed ({_INSTALL}).") from error
    made = {
        "standard": (sae_lens.StandardTrainingSAE, sae_lens.StandardTrainingSAEConfig, {}),
        "topk": (sae_lens.TopKTrainingSAE, sae_lens.TopKTrainingSAEConfig, {"k": size.k}),
        "batchtopk": (
            sae_lens.BatchTopKTrainingSAE,
            sae_lens.BatchTopKTrainingSAEConfig,
            {"k": size.k},
        ),
    }
    kind, config, settings = made[architecture]
    torch.manual_seed(0)
    sae = kind(config(d_in=size.width, d_sae=size.features, device=str(device), **settings))
    trainer = SAETrainer(
        SAETrainerConfig(
            total_training_samples=STEPS * size.batch,
            train_batch_size_samples=size.batch,
            lr=LR,
            lr_end=LR / 10,
            device=str(device),
        ),
        sae,
        iter(()),
    )

    def step(x_TD: Tensor) -> None:
        trainer.step(x_TD)
        trainer.n_training_steps += 1

    return Arm("SAELens", architecture, step)


def dictionary_learning_arm(architecture: str, size: Size) -> Arm:
    """Return the `update` of dictionary_learning's trainers."""
    try:
        from dictionary_learning import trainers
    except ImportError as error:
        raise MissingPeerError(f"dictionary_learning is not installed ({_INSTALL}).") from error
    kinds = {
        "standard": trainers.StandardTrainer,
        "topk": trainers.TopKTrainer,
        "batchtopk": trainers.BatchTopKTrainer,
    }
    settings: dict[str, Any] = {} if architecture == "standard" else {"k": size.k}
    trainer = kinds[architecture](
        steps=STEPS,
        activation_dim=size.width,
        dict_size=size.features,
        layer=0,
        lm_name="",
        seed=0,
        lr=LR,
        device="cpu",
        **settings,
    )
    taken = iter(range(STEPS))

    def step(x_TD: Tensor) -> None:
        trainer.update(next(taken), x_TD)

    return Arm("dictionary_learning", architecture, step)


def sparsify_arm(architecture: str, size: Size, device: torch.device = CPU) -> Arm:
    """Return the step that sparsify's trainer takes, which cannot be had without a model.

    "topk" has its default optimiser, schedule-free sign descent; "topk, Adam" the usual one.
    """
    try:
        from schedulefree import ScheduleFreeWrapper
        from sparsify import SparseCoder, SparseCoderConfig
        from sparsify.sign_sgd import SignSGD
    except ImportError as error:
        raise MissingPeerError(f"sparsify is not installed ({_INSTALL}).") from error
    torch.manual_seed(0)
    coder = SparseCoder(size.width, SparseCoderConfig(num_latents=size.features, k=size.k), device)
    if architecture == "topk":
        optimiser = ScheduleFreeWrapper(SignSGD(coder.parameters(), lr=LR), momentum=0.95)
        optimiser.train()
    else:
        optimiser = torch.optim.Adam(coder.parameters(), lr=LR)
    silent_F = torch.zeros(size.features, dtype=torch.long, device=device)

    def step(x_TD: Tensor) -> None:
        coder.set_decoder_norm_to_unit_norm()
        total_variance = (x_TD - x_TD.mean(0)).pow(2).sum()
        out = coder(x=x_TD, y=x_TD, total_variance=total_variance)
        fired_F = torch.zeros(size.features, dtype=torch.bool, device=device)
        fired_F[out.latent_indices.flatten()] = True
        (out.fvu + out.multi_topk_fvu / 8).backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimiser.step()
        optimiser.zero_grad()
        silent_F.add_(len(x_TD))
        silent_F[fired_F] = 0

    return Arm("sparsify", architecture, step)
