"""What one step does with the gradient before it reaches the weights."""

from __future__ import annotations

import pytest
import torch

from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup, StepState
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

D, F = 8, 24
FIRST_MOMENT = 0.1  # 1 − β₁: what Adam keeps of the first gradient


def begun() -> TrainerState:
    generator = torch.Generator().manual_seed(0)
    architecture = ARCHITECTURES["standard"](Setup(D, F, steps=10), generator)
    architecture.to(torch.device("cpu"))
    counter = FiringCounter(F, torch.device("cpu"))
    return TrainerState(architecture, make_optimiser(architecture, 1e-3), counter)


@pytest.mark.parametrize(
    ("name", "k_start", "expected"),
    [("topk", 12, [12, 8, 4, 4]), ("batchtopk", 12, [12, 8, 4, 4]), ("topk", 0, [4, 4, 4, 4]),
     ("sorted_matryoshka", 0, [9.6, 6.8, 4, 4]), ("sorted_matryoshka", 4, [4, 4, 4, 4])],
)  # fmt: skip
def test_k__falls_evenly_from_its_start_to_what_was_asked_for(
    name: str, k_start: int, expected: list[float]
) -> None:
    batch = Batch.of(torch.randn(50, D, generator=torch.Generator().manual_seed(1)))
    setup = Setup(D, F, steps=10, k=4, k_start=k_start)
    architecture = ARCHITECTURES[name](setup, torch.Generator().manual_seed(0))
    architecture.parameters["b_enc"] += 9.0  # all are positive, so that k alone decides
    architecture.to(torch.device("cpu"))
    counter = FiringCounter(F, torch.device("cpu"))
    state = TrainerState(architecture, make_optimiser(architecture, 1e-6), counter)
    recipe = Recipe(10, lr=1e-6, sparsity=0.0, dead_window=1000)
    active = [train_step(state, recipe, batch).l0 for _ in range(10)]
    assert [active[step] for step in (0, 4, 8, 9)] == pytest.approx(expected)
    assert active == sorted(active, reverse=True)


@pytest.mark.parametrize("share", [0.25, 1.5, None], ids=["shortened", "short enough", "off"])
def test_gradient__is_shortened_to_the_clip_and_never_lengthened(share: float | None) -> None:
    batch = Batch.of(torch.randn(64, D, generator=torch.Generator().manual_seed(1)))
    silent = torch.zeros(F, dtype=torch.bool)
    state = begun()
    state.architecture.gradients(batch, StepState(1.0, silent))
    parameters = state.architecture.parameters
    whole = {name: p.grad.clone() for name, p in parameters.items() if p.grad is not None}
    norm = float(torch.stack([g.norm() for g in whole.values()]).norm())
    clip = 0.0 if share is None else share * norm

    state = begun()
    recipe = Recipe(
        10, lr=1e-3, sparsity=1.0, dead_window=10, sparsity_warm_up=0.0, gradient_clip=clip
    )
    report = train_step(state, recipe, batch)

    assert float(report.gradient_norm) == pytest.approx(norm, rel=1e-5)
    kept = min(1.0, share) if share is not None else 1.0
    assert len(whole) == 4
    for name, parameter in state.architecture.parameters.items():
        moment = state.optimiser.state[parameter]["exp_avg"]
        torch.testing.assert_close(
            moment, FIRST_MOMENT * kept * whole[name], rtol=1e-4, atol=1e-7, msg=name
        )
