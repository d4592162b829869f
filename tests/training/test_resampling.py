"""Dead features begin anew from rows the dictionary explains badly."""

from __future__ import annotations

import pytest
import torch
from imported_rows import DATA, import_rows, run_config, toy_rows
from job_contexts import RecordingContext
from toy_features import mean_max_cosine

from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.project import Project
from sae_desktop.training.job import train
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.resampling import (
    ENCODER_SHARE,
    RESAMPLE_SHARES,
    resample,
    resamples_at,
    row_losses,
)
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

FEATURES, DEAD = 40, [3, 17, 39]
CPU = torch.device("cpu")


def _trained(name: str) -> tuple[TrainerState, Batch]:
    """A state after a few steps, three of whose features are dead."""
    generator = torch.Generator().manual_seed(0)
    rows = Batch.of(DATA.batch(2000, generator))
    architecture = ARCHITECTURES[name](Setup(width=16, features=FEATURES, steps=10, k=4), generator)
    architecture.initialise_from(rows)
    architecture.to(CPU)
    state = TrainerState(
        architecture, make_optimiser(architecture, 1e-3), FiringCounter(FEATURES, CPU)
    )
    for _ in range(3):
        train_step(state, Recipe(steps=10, lr=1e-3, sparsity=1.0, dead_window=10**9), rows)
    state.firing.silent_rows.zero_()
    state.firing.silent_rows[DEAD] = 5000
    return state, rows


def test_resampling__happens_four_times_in_the_first_half() -> None:
    assert [step for step in range(1, 201) if resamples_at(step, 200)] == [25, 50, 75, 100]
    assert resamples_at(1, 8)
    assert max(RESAMPLE_SHARES) == 0.5


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_resampling__changes_the_dead_features_and_no_others(name: str) -> None:
    state, rows = _trained(name)
    before = {k: p.detach().clone() for k, p in state.architecture.parameters.items()}
    assert resample(state, 4000, rows, seed=0) == 3
    after = state.architecture.parameters
    alive = [n for n in range(FEATURES) if n not in DEAD]
    for key, values in before.items():
        per_feature = len(values) == FEATURES
        kept = after[key][alive] if per_feature else after[key]
        assert torch.equal(kept, values[alive] if per_feature else values), key
    encoder = before["W_enc"][alive].norm(dim=1).mean()
    assert after["W_enc"][DEAD].norm(dim=1).tolist() == pytest.approx(
        [float(ENCODER_SHARE * encoder)] * 3, rel=1e-5
    )
    directions = torch.nn.functional.normalize(after["W_dec"][DEAD].detach())
    centred = torch.nn.functional.normalize(rows.x_TI - after["b_dec"].detach())
    assert (directions @ centred.T).max(dim=1).values.tolist() == pytest.approx([1.0] * 3)
    assert after["b_enc"][DEAD].tolist() == [0.0] * 3
    for key, parameter in after.items():
        moments = state.optimiser.state[parameter]
        if len(parameter) == FEATURES:
            assert not bool(moments["exp_avg"][DEAD].any()), key
            assert not bool(moments["exp_avg_sq"][DEAD].any()), key
            assert bool(moments["exp_avg_sq"][alive].any()), key
    assert not bool(state.firing.dead(4000).any())
    assert resample(state, 4000, rows, seed=0) == 0


def test_resampling__draws_rows_by_the_square_of_their_loss_and_by_its_seed() -> None:
    state, rows = _trained("topk")
    # One row that nothing explains outweighs all others.
    x = rows.x_TI.clone()
    x[123] = 100 * torch.randn(16, generator=torch.Generator().manual_seed(1))
    strange = Batch.of(x)
    losses = row_losses(state.architecture, strange, CPU)
    assert int(losses.argmax()) == 123
    resample(state, 4000, strange, seed=0)
    found = state.architecture.parameters["W_dec"][DEAD].detach()
    wanted = torch.nn.functional.normalize(x[123] - state.architecture.parameters["b_dec"], dim=0)
    assert torch.allclose(found, wanted.detach().expand(3, -1), atol=1e-5)

    decoders = []
    for seed in (0, 0, 1):
        state, rows = _trained("topk")
        resample(state, 4000, rows, seed=seed)
        decoders.append(state.architecture.parameters["W_dec"].detach())
    assert torch.equal(decoders[0], decoders[1])
    assert not torch.equal(decoders[0], decoders[2])


def _half_dead(again: bool) -> tuple[float, float]:
    """Train with half of the features dead from the start; return MMCS and the dead share."""
    steps, features = 400, 32
    generator = torch.Generator().manual_seed(0)
    setup = Setup(width=16, features=features, steps=steps)
    architecture = ARCHITECTURES["standard"](setup, generator)
    architecture.initialise_from(Batch.of(DATA.batch(2000, generator)))
    architecture.parameters["b_enc"][::2] = -100.0
    architecture.to(CPU)
    state = TrainerState(
        architecture, make_optimiser(architecture, 3e-3), FiringCounter(features, CPU)
    )
    recipe = Recipe(steps=steps, lr=3e-3, sparsity=1.0, dead_window=20 * 512)
    for _ in range(steps):
        train_step(state, recipe, Batch.of(DATA.batch(512, generator)))
        if again and resamples_at(state.step, steps):
            resample(state, recipe.dead_window, Batch.of(DATA.batch(2000, generator)), state.step)
    dead = float(state.firing.dead(recipe.dead_window).double().mean())
    return mean_max_cosine(DATA.directions, architecture.parameters["W_dec"].detach()), dead


def test_resampling__revives_dead_features() -> None:
    (without, dead_without), (found, dead) = _half_dead(again=False), _half_dead(again=True)
    assert dead_without >= 0.5
    assert dead <= 0.1
    assert found > without


def test_training_with_resampling__says_how_many_features_begin_anew(project: Project) -> None:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(4000))
    # λ so large that most features die at once.
    config = run_config(
        project, architecture="standard", sparsity=20.0, lr=2e-2, sparsity_warm_up=0.0,
        resample=True,
    )  # fmt: skip
    context = RecordingContext()
    train(config, context)
    said = [line for line in context.lines if "dead features reinitialised" in line]
    assert [int(line.split()[-1].rstrip(".")) for line in said] == [5, 10, 15, 20]
    assert max(int(line.split()[0]) for line in said) > 10
