"""A crosscoder over the checkpoints of one model, trained on rows held in memory.

T rows, M models, D width, F features. All models share one scale, so that what grows in one of
them stays larger there; each is counted from its own mean. Checkpoints of one model speak the same
language, so a feature begins with one direction in all of them: what is rotated at the end was
turned by training, and is not left over from a random start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine, joined
from sae_desktop.jobs import JobContext
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import (
    Recipe,
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)

ARCHITECTURE = "standard"
"""Its L1 of norms is what makes exclusive features come out exclusive."""
_BATCH = 1024
_LR = 2e-3


class _Watched:
    """Tells the job's context of every step, and lets it end the run."""

    def __init__(self, context: JobContext, first: int, total: int) -> None:
        self._context, self._first, self._total = context, first, total

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        del report
        self._context.check_cancelled()
        done = self._first + state.step
        self._context.progress(done, self._total, "steps", "Training the crosscoder")
        return True


def train_crosscoder(
    rows: Sequence[Tensor],
    *,
    features: int,
    steps: int,
    sparsity: float,
    seed: int,
    context: JobContext,
    first: int = 0,
    total: int = 0,
) -> Dictionary:
    """Return a crosscoder that reads and writes all of `rows`, (T, D) of each model, in order.

    Progress counts steps, from `first` on, of `total`.
    """
    width = rows[0].shape[1]
    power = torch.stack([(x - x.mean(dim=0)).square().sum(dim=1).mean() for x in rows]).mean()
    scale = (width / power.clamp_min(1e-12)).sqrt().expand(width)
    whole = joined([Affine(x.mean(dim=0), scale) for x in rows])
    x_TI = whole.apply(torch.cat(list(rows), dim=1))
    generator = torch.Generator().manual_seed(seed)
    parts = (width,) * len(rows)
    setup = Setup(width=sum(parts), features=features, steps=steps, parts=parts)
    architecture = ARCHITECTURES[ARCHITECTURE](setup, generator)
    _begin_alike(architecture.parameters, len(rows))
    architecture.to(x_TI.device)
    counter = FiringCounter(features, x_TI.device)
    state = TrainerState(architecture, make_optimiser(architecture, _LR), counter)
    recipe = Recipe(steps, _LR, sparsity, dead_window=steps * _BATCH)
    watched = _Watched(context, first, total or steps)
    train_loop([Run(state, recipe, watched)], _batches(x_TI, steps, generator))
    return architecture.folded(whole, whole)


def _begin_alike(parameters: dict[str, Tensor], models: int) -> None:
    """Give every feature the same direction in each model, its whole norm unchanged."""
    W_dec = parameters["W_dec"]
    first = W_dec[:, : W_dec.shape[1] // models]
    alike = torch.nn.functional.normalize(first, dim=1).repeat(1, models) / models**0.5
    parameters["W_dec"] = alike * W_dec.norm(dim=1, keepdim=True)
    parameters["W_enc"] = parameters["W_dec"].clone()


def _batches(x_TI: Tensor, steps: int, generator: torch.Generator) -> Iterator[Batch]:
    for _ in range(steps):
        chosen = torch.randint(len(x_TI), (_BATCH,), generator=generator)
        yield Batch.of(x_TI[chosen])


def stable(found: Dictionary, others: Sequence[Dictionary]) -> Tensor:
    """Return (F,): the cosine with the most alike feature of other seeds, the least over them.

    Alone, every feature has 1.
    """
    own = torch.nn.functional.normalize(found.W_dec, dim=1)
    best = torch.ones(len(own), device=own.device)
    for other in others:
        alike = own @ torch.nn.functional.normalize(other.W_dec, dim=1).T
        best = torch.minimum(best, alike.max(dim=1).values)
    return best
