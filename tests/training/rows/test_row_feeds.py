"""The order of the rows, the pool, the batches and what they are normalised by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from imported_rows import assert_same_weights, import_rows, run_config, toy_rows
from job_contexts import RecordingContext

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.job import train
from sae_desktop.training.rows import source as sources
from sae_desktop.training.rows.batches import Batches
from sae_desktop.training.rows.data import CENTRE_LIMIT, Sides, measure_affine
from sae_desktop.training.rows.pool import Feed, PooledFeed, PoolSize, RandomFeed, choose_pool
from sae_desktop.training.rows.source import StoreSource

ROWS = np.flatnonzero(np.arange(1000) % 7 != 0)
VALUES = np.arange(1000, dtype=np.float32)[:, None] * np.ones((1, 3), dtype=np.float32)


def _values(rows: np.ndarray) -> np.ndarray:
    return VALUES[rows]


FEEDS = [
    lambda seed: RandomFeed([_values, _values], ROWS, seed),
    lambda seed: PooledFeed([_values, _values], ROWS, seed, PoolSize(160, 10)),
    lambda seed: PooledFeed([_values, _values], ROWS, seed, choose_pool(len(ROWS), 24, 5000)),
]


@pytest.mark.parametrize("make", FEEDS, ids=["random", "pool", "small pool"])
def test_feed__visits_every_row_once_a_pass_and_goes_on_anywhere(
    make: Callable[[int], Feed],
) -> None:
    count = len(ROWS)
    feed = make(1)
    whole = feed.take(0, 3 * count)[0][:, 0]
    passes = whole.reshape(3, count)
    for one in passes:
        assert np.array_equal(np.sort(one), ROWS)
    assert not np.array_equal(passes[0], passes[1])
    assert abs(float(np.corrcoef(passes[0], np.arange(count))[0, 1])) < 0.2
    for position in (0, 777, 858, 2000):
        again = make(1)
        taken = [again.take(position + step, 90) for step in range(0, 360, 90)]
        assert np.array_equal(
            np.concatenate([parts[1][:, 2] for parts in taken]), whole[position : position + 360]
        )
        again.close()
    assert not np.array_equal(make(2).take(0, count)[0][:, 0], whole[:count])
    feed.close()


def test_pool__is_chosen_only_where_the_store_exceeds_the_memory() -> None:
    assert choose_pool(1000, 100, 200_000) == PoolSize()
    pool = choose_pool(1000, 100, 100_000)
    assert 2 * pool.rows * 100 <= 0.25 * 100_000
    assert pool.rows % pool.block == 0
    assert choose_pool(10**9, 1152, 24 * 10**9).block == 8192


def test_pool__reads_along_and_holds_no_more_than_two_of_its_size() -> None:
    asked: list[np.ndarray] = []

    def gather(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return VALUES[rows]

    feed = PooledFeed([gather], ROWS, 0, PoolSize(160, 10))
    feed.take(0, 1)
    feed.close()
    assert len(asked) <= 2 * 16
    assert all(np.array_equal(rows, np.sort(rows)) for rows in asked)
    assert all(int(rows[-1] - rows[0]) <= 12 for rows in asked)


def test_training_from_a_pool__resumes_bit_for_bit_whatever_is_free_then(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(5000))

    def free(count: int) -> None:
        monkeypatch.setattr(sources, "free_memory", lambda: count)

    free(100_000)
    context = RecordingContext()
    train(run_config(project, name="whole"), context)
    assert any("larger than the free memory" in line for line in context.lines)
    with pytest.raises(JobCancelledError):
        train(run_config(project), RecordingContext(cancel_after=20))
    free(10**12)
    train(run_config(project), SilentContext())
    assert_same_weights(project, "d", "whole")
    train(run_config(project, name="random"), SilentContext())
    with pytest.raises(AssertionError):
        assert_same_weights(project, "random", "whole")


def test_batches__are_made_ahead_and_tell_what_was_waited() -> None:
    feed = RandomFeed([_values], ROWS, 0)
    sides = Sides.restored({"x.0.shift": torch.zeros(3), "x.0.scale": torch.ones(3)})
    batches = Batches(feed, sides, batch=100, start=0, total=250, device=torch.device("cpu"))
    taken = [batch.x_TI.clone() for batch in batches]
    assert [len(x) for x in taken] == [100, 100, 50]
    assert torch.equal(
        torch.cat(taken), torch.from_numpy(RandomFeed([_values], ROWS, 0).take(0, 250)[0])
    )
    assert batches.seconds_waited > 0


def test_batches__hand_an_error_of_their_thread_to_the_step() -> None:
    def fails(rows: np.ndarray) -> np.ndarray:
        raise UserError(f"no {len(rows)} rows")

    sides = Sides.restored({"x.0.shift": torch.zeros(3), "x.0.scale": torch.ones(3)})
    feed = RandomFeed([fails], ROWS, 0)
    with pytest.raises(UserError, match="no 100 rows"):
        list(Batches(feed, sides, batch=100, start=0, total=250, device=torch.device("cpu")))


@pytest.mark.parametrize("centre", ["auto", "always", "never"])
@pytest.mark.parametrize("shift", [0.0, 0.9, 1.2])
def test_normalisation__brings_rows_to_mean_square_of_their_width(
    centre: str, shift: float
) -> None:
    generator = np.random.Generator(np.random.PCG64(0))
    rows = generator.standard_normal((4000, 8)) * 3
    # ‖μ‖ = shift · ‖σ‖
    rows += shift * 3 * np.ones(8)
    affine = measure_affine(rows.astype(np.float32), centre, what="rows")  # type: ignore[arg-type]
    normal = affine.apply(torch.from_numpy(rows).float())
    assert float(normal.square().sum(1).mean()) == pytest.approx(8, rel=0.01)
    centred = centre == "always" or (centre == "auto" and shift > CENTRE_LIMIT)
    assert bool(affine.shift.any()) == centred
    if centred:
        assert float(normal.mean(0).norm()) < 1e-3


def test_normalisation__gives_each_part_its_own_scalar_and_folds_away(project: Project) -> None:
    torch.set_num_threads(1)
    rows = toy_rows(4000)
    import_rows(project, rows)
    import_rows(project, 50 * rows + 400, name="other")
    config = run_config(
        project, target="crosscoder", other_activations=("other",), features=16, k=16
    )
    source = StoreSource(config, None)
    x = source.sample(2000).x_TI
    assert x.shape[1] == 32
    assert [float(part.square().sum(1).mean()) for part in x.split(16, dim=1)] == [
        pytest.approx(16, rel=0.02)
    ] * 2
    assert not bool(source.sides.x.affines[0].shift.any())
    assert bool(source.sides.x.affines[1].shift.any())
    result = train(config, SilentContext())
    # A dictionary for raw rows: its fit is measured on rows as they were imported.
    assert result.fvu < 0.9
