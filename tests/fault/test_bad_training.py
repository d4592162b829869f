"""Rows and settings no dictionary can be trained on: a clear refusal, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import msgspec
import numpy as np
import pytest
import torch
from imported_rows import assert_same_weights, import_rows, run_config, toy_rows
from job_contexts import RecordingContext

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.job import train

resource = pytest.importorskip("resource", reason="limits of POSIX")


def _refused(project: Project, **changes: object) -> UserError:
    """Check that a training is refused and makes nothing; return what is said."""
    torch.set_num_threads(1)
    with pytest.raises(UserError) as error:
        train(run_config(project, **changes), SilentContext())
    assert project.runs() == project.dictionaries() == []
    assert error.value.next_step
    return error.value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_training__names_the_first_row_that_is_not_finite(project: Project, value: float) -> None:
    rows = toy_rows(2000)
    import_rows(project, rows)
    # An import refuses such rows itself; a store may come from elsewhere.
    with h5py.File(project.store_path("acts") / "000.h5", "r+") as file:
        for row in (70, 1500):
            file["activations/imported"][row, 3] = value
            file["norms/imported"][row] = abs(value)
    error = _refused(project)
    assert "2 rows" in error.what
    assert "not finite" in error.what
    assert "row 70" in error.what


@pytest.mark.parametrize("centre", ["auto", "always", "never"])
def test_training__refuses_rows_that_are_all_the_same(project: Project, centre: str) -> None:
    import_rows(project, np.tile(toy_rows(1) + 1, (2000, 1)))
    assert "are the same" in _refused(project, centre=centre).what


def test_training__refuses_rows_of_zeros(project: Project) -> None:
    import_rows(project, np.zeros((2000, 16), dtype=np.float32))
    assert "is zero" in _refused(project).what


def test_training__refuses_a_store_of_ten_rows(project: Project) -> None:
    import_rows(project, toy_rows(10))
    error = _refused(project)
    assert "holds 10 rows" in error.what
    assert "100" in error.what


@pytest.mark.parametrize(
    ("changes", "named", "way_out"),
    [
        ({"k": 49}, "k = 49", "cannot exceed the number of features, 48"),
        ({"k": 0}, "k = 0", "at least 1."),
        ({"k": 8, "k_start": 7}, "k_start = 7", "begin at 8 or more, or with 0."),
        ({"k_start": 49}, "k_start = 49", "cannot exceed the number of features, 48"),
        ({"k_start": -1}, "k_start = -1", "at least 0."),
        ({"lista_step": 1.5}, "lista_step = 1.5", "between 0 and 1."),
        ({"leave_one_out": -1.0}, "leave_one_out = -1.0", "at least 0."),
        (
            {"architecture": "topk", "leave_one_out": 0.8},
            "leave_one_out = 0.8",
            "Only features with a threshold",
        ),
        (
            {"architecture": "jumprelu", "lista_step": 0.3},
            "lista_step = 0.3",
            "Only BatchTopK and Matryoshka can read a row a second time",
        ),
        (
            {"architecture": "gated", "leave_one_out": 0.8, "target": "transcoder"},
            "leave_one_out = 0.8",
            "reconstructs its own rows",
        ),
        ({"features": 0}, "features = 0", "at least 1."),
        ({"features": -3}, "features = -3", "at least 1."),
        ({"batch": 0}, "batch = 0", "at least 1."),
        ({"tokens": 100}, "tokens = 100", "one batch of 256"),
        ({"lr": -1.0}, "lr = -1.0", "at least 0."),
        ({"lr": float("inf")}, "lr = inf", "a finite number, at least 0."),
        ({"sparsity": float("nan")}, "sparsity = nan", "a finite number, at least 0."),
        ({"lr_warm_up": 1.5}, "lr_warm_up = 1.5", "between 0 and 1."),
        (
            {"lr_warm_up": 0.9, "lr_decay": 0.2},
            "lr_warm_up = 0.9",
            "decay are shares of the run and together at most 1.",
        ),
        ({"sparsity_warm_up": -0.1}, "sparsity_warm_up = -0.1", "between 0 and 1."),
        ({"gradient_clip": -1.0}, "gradient_clip = -1.0", "at least 0."),
        ({"threshold_decay": 1.0}, "threshold_decay = 1.0", "at least 0 and less than 1."),
        ({"seed": -1}, "seed = -1", "at least 0."),
        ({"keep_checkpoints": 0}, "keep_checkpoints = 0", "at least 1."),
        ({"architecture": "hopfield"}, "architecture = hopfield", "topk"),
        ({"activations": ""}, "neither is named", "one of the two"),
    ],
)
def test_training__names_the_setting_and_the_way_out(
    project: Project, changes: dict[str, object], named: str, way_out: str
) -> None:
    error = _refused(project, **changes)
    assert named in error.what
    assert way_out in error.next_step


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk, longer files cannot be written by this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_training__goes_on_without_room_for_checkpoints(project: Project) -> None:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(2000))
    config = run_config(project, features=4096, tokens=20 * 256, checkpoint_seconds=1e-6)
    context = RecordingContext()
    with _files_of_at_most(1_000_000):
        result = train(config, context)
    assert result.steps == 20
    assert project.dictionaries() == ["d"]
    said = [line for line in context.lines if "No checkpoint could be written" in line]
    assert said
    assert "limit" in said[0]
    assert "The training continues" in said[0]


def test_training__without_room_for_its_dictionary_goes_on_later(project: Project) -> None:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(2000))
    config = run_config(project, features=4096, tokens=20 * 256)
    train(msgspec.structs.replace(config, name="whole"), SilentContext())
    with pytest.raises(JobCancelledError):
        train(config, RecordingContext(cancel_after=8))
    checkpoints = project.dictionary_path("d") / "checkpoint"
    before = sorted(path.name for path in checkpoints.iterdir())
    with _files_of_at_most(500_000), pytest.raises(UserError, match="could not be saved") as error:
        train(config, SilentContext())
    assert "checkpoint is kept" in error.value.kept
    assert "Free some space" in error.value.next_step
    assert sorted(path.name for path in checkpoints.iterdir()) == before
    train(config, SilentContext())
    assert_same_weights(project, "d", "whole")


def test_training__leaves_out_massive_rows_and_says_so(project: Project) -> None:
    rows = toy_rows(2000)
    rows[[3, 900]] *= 1e6
    import_rows(project, rows)
    context = RecordingContext()
    result = train(run_config(project, tokens=2560), context)
    assert np.isfinite(result.fvu)
    assert any("2 rows above ten times the median norm" in line for line in context.lines)
