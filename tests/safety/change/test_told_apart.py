"""Fact 17 for checkpoints of one model: shared, exclusive and rotated features told apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.jobs import SilentContext
from sae_desktop.safety.change.crosscoder import stable, train_crosscoder
from sae_desktop.safety.change.told_apart import (
    DOUBTFUL,
    EXCLUSIVE,
    ROTATED,
    SHARED,
    ToldApart,
    tell_apart,
)

SHARED_COUNT, ROTATED_COUNT, BORN_COUNT, WIDTH = 12, 3, 3, 24


def planted(models: int, onset: int, seed: int = 0) -> Tensor:
    """(M, n, D): directions that stay, directions that turn by 90°, and ones born at `onset`."""
    generator = torch.Generator().manual_seed(seed)
    count = SHARED_COUNT + 2 * ROTATED_COUNT + BORN_COUNT
    basis = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator)).Q[:count]
    stay, turn, turned, born = basis.split([SHARED_COUNT, ROTATED_COUNT, ROTATED_COUNT, BORN_COUNT])
    before = torch.cat([stay, turn, torch.zeros_like(born)])
    after = torch.cat([stay, turned, born])
    return torch.stack([before if m < onset else after for m in range(models)])


def rows_of(directions: Tensor, rows: int, seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    n = directions.shape[1]
    on = torch.rand(rows, n, generator=generator) < 0.06
    acts = on * (0.5 + torch.rand(rows, n, generator=generator))
    return [acts @ of_model for of_model in directions]


def matched(directions: Tensor, found: Dictionary, told: ToldApart) -> tuple[Tensor, Tensor]:
    """Return (n,) the best cosine with each planted feature, and the number that reaches it."""
    truth = torch.nn.functional.normalize(torch.cat(list(directions), dim=1))
    alive = torch.where(told.density_F[:, None] > 0, found.W_dec, 0.0)
    best = (truth @ torch.nn.functional.normalize(alive).T).max(dim=1)
    return best.values, best.indices


@pytest.mark.parametrize(("models", "onset"), [(2, 1), (4, 2)])
def test_tell_apart__names_what_was_planted_in_two_and_four_models(models: int, onset: int) -> None:
    directions = planted(models, onset)
    rows = rows_of(directions, 2000)
    found = train_crosscoder(
        rows, features=28, steps=450, sparsity=0.3 * (2 / models) ** 0.5, seed=0,
        context=SilentContext(),
    )  # fmt: skip
    told = tell_apart(found, torch.cat(rows, dim=1))
    cosine, which = matched(directions, found, told)
    assert float(cosine.mean()) >= 0.97
    kinds = told.kind_F[which]
    want = [SHARED] * SHARED_COUNT + [ROTATED] * ROTATED_COUNT + [EXCLUSIVE] * BORN_COUNT
    assert kinds.tolist() == want
    assert told.birth_F[which].tolist() == [0] * (SHARED_COUNT + ROTATED_COUNT) + [onset] * 3
    born = which[-BORN_COUNT:]
    assert float(told.scaling_FM[born, :onset].abs().max()) < 0.2
    # Only models that have a feature move it when they are masked.
    assert float(told.depends_FM[born, :onset].max()) < 0.1
    assert float(told.depends_FM[born, onset:].min()) > 0.3 / (models - onset)


def test_scaling__finds_a_feature_that_the_norms_call_exclusive_and_is_not() -> None:
    x = rows_of(planted(2, 2), 3000)
    rows = torch.cat(x, dim=1)
    directions = planted(2, 2)[0, :1]
    W_enc = torch.cat([directions, directions], dim=1).T / 2
    W_dec = torch.cat([torch.zeros_like(directions), directions], dim=1)
    shrunk = Dictionary(W_enc, torch.zeros(1), W_dec, torch.zeros(2 * WIDTH), parts=(WIDTH, WIDTH))
    told = tell_apart(shrunk, rows)
    assert float(told.relative_FM[0, 0]) == 0
    assert float(told.scaling_FM[0, 0]) == pytest.approx(1.0, abs=0.05)
    assert int(told.kind_F[0]) == DOUBTFUL


def test_stable__is_one_for_features_that_come_back_and_less_for_others() -> None:
    directions = torch.eye(3, 6)
    one = Dictionary(directions.T, torch.zeros(3), directions, torch.zeros(6), parts=(3, 3))
    other = Dictionary(
        directions.T, torch.zeros(3), directions.roll(3, dims=1), torch.zeros(6), parts=(3, 3)
    )
    assert stable(one, []).tolist() == [1, 1, 1]
    assert stable(one, [one, other]).tolist() == [0, 0, 0]
