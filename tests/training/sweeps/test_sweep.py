"""Sweeps: the grid, the table in the project, passes, failures and resuming."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_features import ToyData

from sae_desktop.activations.config import ImportActivationsConfig
from sae_desktop.activations.import_file import import_activations
from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.sweeps import sweep as sweeping
from sae_desktop.training.sweeps.pareto import front_of
from sae_desktop.training.sweeps.scaling_report import scaling_report
from sae_desktop.training.sweeps.sweep import sweep
from sae_desktop.training.sweeps.sweep_config import (
    SweepConfig,
    SweepRow,
    read_sweep,
    sweep_points,
    write_sweep,
)

DATA = ToyData.make(n=32, d=16)
SETTINGS = {"topk": ("k",), "standard": ("sparsity",)}


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    """A project with 4,000 imported rows of toy data."""
    torch.set_num_threads(1)
    np.save(tmp_path / "rows.npy", DATA.batch(4000, torch.Generator().manual_seed(0)).numpy())
    path = str(project.path)
    import_activations(
        ImportActivationsConfig(project=path, name="acts", file=str(tmp_path / "rows.npy")),
        SilentContext(),
    )
    return project


def config(project: Project | None = None, **changed: object) -> SweepConfig:
    path = str(project.path) if project else ""
    base = TrainConfig(
        project=path, name="", activations="acts", architecture="topk", features=32, k=2,
        tokens=6400, batch=64, lr=3e-3, metric_rows=400, checkpoint_seconds=1e9, device="cpu",
    )  # fmt: skip
    return msgspec.structs.replace(SweepConfig(project=path, name="s", base=base), **changed)


def rows_of(project: Project) -> dict[str, SweepRow]:
    return {row.dictionary: row for row in read_sweep(project.sweep_path("s")).rows}


# ---------------------------------------------------------------- the grid
def test_grid__names_runs_by_what_differs_from_the_base() -> None:
    points = sweep_points(config(features=(32, 64), seed=(0, 1)), SETTINGS)
    assert [point.row.dictionary for point in points] == [
        "s-f32-seed0", "s-f32-seed1", "s-f64-seed0", "s-f64-seed1",
    ]  # fmt: skip
    assert [(p.train.features, p.train.seed) for p in points] == [
        (32, 0),
        (32, 1),
        (64, 0),
        (64, 1),
    ]
    assert {point.train.activations for point in points} == {"acts"}


def test_grid__does_not_repeat_what_an_architecture_ignores() -> None:
    asked = config(architecture=("topk", "standard"), k=(1, 2), sparsity=(1.0, 3.0))
    points = sweep_points(asked, SETTINGS)
    found = [(p.row.architecture, p.row.k, p.row.sparsity) for p in points]
    assert found == [
        ("topk", 1, None), ("topk", 2, None), ("standard", None, 1.0), ("standard", None, 3.0),
    ]  # fmt: skip
    assert len({point.row.dictionary for point in points}) == 4


def test_grid__asks_no_architecture_for_a_second_look_that_it_does_not_take() -> None:
    base = msgspec.structs.replace(config().base, lista_step=0.3, leave_one_out=0.8)
    asked = msgspec.structs.replace(
        config(architecture=("topk", "jumprelu", "batchtopk")), base=base
    )
    settings = {name: ARCHITECTURES[name].settings for name in asked.architecture}
    looks = [(p.train.lista_step, p.train.leave_one_out) for p in sweep_points(asked, settings)]
    assert looks == [(0.0, 0.0), (0.0, 0.8), (0.3, 0.8)]


def test_grid__too_large_is_refused_with_its_size() -> None:
    with pytest.raises(UserError, match="10,000 runs"):
        sweep_points(config(seed=tuple(range(100)), features=tuple(range(1, 101))), SETTINGS)


# ---------------------------------------------------------------- the job
def test_sweep__trains_the_grid_and_writes_its_table(filled: Project) -> None:
    context = RecordingContext()
    asked = config(filled, features=(16, 32), k=(1, 2))
    result = sweep(asked, context)
    assert (result.done, result.failed, result.waiting) == (4, 0, 0)
    table = rows_of(filled)
    assert [msgspec.to_builtins(row) for row in result.rows] == [
        msgspec.to_builtins(row) for row in table.values()
    ]
    assert set(filled.dictionaries()) == set(table)
    for row in result.rows:
        assert row.steps == 100
        assert row.compute == row.features * 100
        assert row.l0 == pytest.approx(row.k or 0, abs=0.2)
        assert row.fvu is not None
        assert 0 < row.fvu < 1
        assert row.peak_lr == pytest.approx(3e-3)
        assert row.loss_recovered is None
    assert table["s-f32-k2"].fvu < table["s-f16-k1"].fvu  # type: ignore[operator]
    assert "s-f32-k2" in [row.dictionary for row in front_of(result.rows)]
    done, total, unit = context.steps[-1]
    assert (done, total, unit) == (total, total, "rows")


def test_sweep__trains_in_one_pass_what_shares_its_batches(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[list[str]] = []
    train_pass = sweeping._train_pass
    monkeypatch.setattr(
        sweeping,
        "_train_pass",
        lambda configs, context: (
            passes.append([c.name for c in configs]) or train_pass(configs, context)
        ),
    )
    result = sweep(config(filled, features=(16, 32), seed=(0, 1)), SilentContext())
    assert passes == [["s-f16-seed0", "s-f32-seed0"], ["s-f16-seed1", "s-f32-seed1"]]
    assert [row.together for row in result.rows] == [2, 2, 2, 2]

    passes.clear()
    sweep(config(filled, features=(16, 32), k=(1,), together=1), SilentContext())
    assert [len(some) for some in passes] == [1, 1]


def test_sweep__in_one_pass_gives_what_single_runs_give(filled: Project) -> None:
    sweep(config(filled, features=(16, 32)), SilentContext())
    alone = config(filled, name="alone", features=(16, 32), together=1)
    result = sweep(alone, SilentContext())
    together = rows_of(filled)
    assert [row.fvu for row in result.rows] == [together[n].fvu for n in ("s-f16", "s-f32")]


def test_sweep__goes_on_after_a_run_that_fails(filled: Project) -> None:
    result = sweep(config(filled, k=(2, 99)), SilentContext())
    assert [row.state for row in result.rows] == ["done", "failed"]
    assert "k = 99" in result.rows[1].error
    assert filled.dictionaries() == ["s-k2"]


def test_sweep__cancelled_goes_on_with_the_runs_it_lacks(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = config(filled, seed=(0, 1, 2))
    with pytest.raises(JobCancelledError):
        sweep(asked, RecordingContext(cancel_after=150))
    states = [row.state for row in rows_of(filled).values()]
    assert states == ["done", "waiting", "waiting"]

    trained: list[str] = []
    train_pass = sweeping._train_pass
    monkeypatch.setattr(
        sweeping,
        "_train_pass",
        lambda configs, context: (
            trained.extend(c.name for c in configs) or train_pass(configs, context)
        ),
    )
    result = sweep(asked, SilentContext())
    assert trained == ["s-seed1", "s-seed2"]
    assert result.done == 3


def test_sweep__killed_in_a_pass_takes_up_what_was_running(filled: Project) -> None:
    asked = config(filled, seed=(0, 1))
    first = sweep(asked, SilentContext())
    record = read_sweep(filled.sweep_path("s"))
    running = [msgspec.structs.replace(row, state="running", fvu=None) for row in record.rows]
    write_sweep(filled, msgspec.structs.replace(record, rows=running))
    again = sweep(asked, SilentContext())
    assert [row.state for row in again.rows] == ["done", "done"]
    assert [row.fvu for row in again.rows] == [row.fvu for row in first.rows]


def test_sweep__takes_further_values_and_repeats_no_run(filled: Project) -> None:
    first = sweep(config(filled, features=(16,)), SilentContext())
    more = sweep(config(filled, features=(16, 32)), SilentContext())
    assert [row.dictionary for row in more.rows] == ["s", "s-f32"]
    assert more.rows[0] == first.rows[0]


def test_sweep__gives_runs_of_other_settings_names_of_their_own(filled: Project) -> None:
    sweep(config(filled, features=(16, 32)), SilentContext())
    base = msgspec.structs.replace(config(filled).base, k=1)
    other = sweep(config(filled, base=base, features=(16, 32)), SilentContext())
    assert [row.dictionary for row in other.rows] == ["s-f16-2", "s-f32-2"]
    assert [row.k for row in rows_of(filled).values()] == [2, 2, 1, 1]


def test_sweep__of_another_base_is_refused_by_name(filled: Project) -> None:
    sweep(config(filled, seed=(0,)), SilentContext())
    other = config(filled, base=msgspec.structs.replace(config(filled).base, batch=128))
    with pytest.raises(UserError, match="a different batch"):
        sweep(other, SilentContext())


def test_sweep__stopped_leaves_the_rest_waiting(filled: Project) -> None:
    result = sweep(config(filled, seed=(0, 1)), RecordingContext(stop_after=30))
    assert [row.state for row in result.rows] == ["done", "waiting"]
    assert result.rows[0].stopped_early
    assert result.rows[0].steps < 100


def test_table__does_not_keep_the_project_path(filled: Project) -> None:
    sweep(config(filled, seed=(0,)), SilentContext())
    assert str(filled.path) not in filled.sweep_path("s").read_text()


def test_table__damaged_says_what_to_do(filled: Project) -> None:
    filled.sweep_path("s").parent.mkdir()
    filled.sweep_path("s").write_text("{")
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_sweep(filled.sweep_path("s"))
    assert "reused" in caught.value.next_step


def test_real_sweep__gives_a_falling_loss_and_its_laws(filled: Project) -> None:
    # Fact 18 of the project's list: the loss falls with features and with steps.
    asked = config(filled, features=(4, 8, 16, 32), tokens=(3200, 6400, 12_800))
    result = sweep(asked, SilentContext())
    losses = np.array([row.loss for row in result.rows]).reshape(4, 3)
    assert (np.diff(losses, axis=0) < 0).all()
    assert (losses[:, 0] > losses[:, 2]).all()
    report = scaling_report(result.rows, budget=32 * 400.0)
    laws = report.series[0].laws
    assert laws is not None
    assert laws.loss.exponent < 0
    assert report.series[0].optimum is not None
    assert report.series[0].optimum.loss < losses.max()
