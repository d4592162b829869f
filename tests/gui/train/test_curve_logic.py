"""Curves of a run: their points, axes, smoothing and files."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from frame_project import add_run

from sae_desktop.project import Project
from sae_desktop.training.run_log import COLUMNS, RunChange, read_run
from sae_desktop.words.curve_buffer import CurveBuffer
from sae_desktop.words.curve_files import curves_table
from sae_desktop.words.curve_info import CURVE_OF, DEFAULT_CURVES, curve_view
from sae_desktop.words.run_changes import change_text, merged
from sae_desktop.words.smoothing import smoothed


def filled(**columns: list[float]) -> CurveBuffer:
    buffer = CurveBuffer()
    for place in range(len(columns["rows"])):
        buffer.append({name: values[place] for name, values in columns.items()})
    return buffer


# ---------------------------------------------------------------------- points
def test_buffer__replaces_what_a_resumed_run_repeats(project: Project) -> None:
    add_run(project, "done")
    buffer = CurveBuffer.of_run(read_run(project.dictionary_path("done") / "run.h5"))
    assert buffer.points == 10
    buffer.append({"rows": 3_000.0, "loss": 99.0})
    assert buffer.points == 6
    assert buffer.last("loss") == 99.0
    for number in range(5_000):
        buffer.append({"rows": 4_000.0 + number, "loss": 1.0})
    assert buffer.points == 5_006
    assert buffer.column("rows")[0] == 500.0


def test_buffer__every_curve_of_a_log_can_be_drawn() -> None:
    drawn_over = {"step", "rows", "seconds"}
    assert set(COLUMNS) - drawn_over <= set(CURVE_OF)


def test_buffer__gives_each_axis_its_x_and_leaves_out_what_is_unknown() -> None:
    buffer = CurveBuffer(features=100)
    buffer.append({"rows": 10.0, "step": 1.0, "seconds": 0.5, "loss": 3.0, "fvu": 0.25})
    buffer.append({"rows": 20.0, "step": 2.0, "loss": 2.0})
    assert buffer.curve("loss", "compute")[0].tolist() == [100.0, 200.0]
    assert buffer.curve("loss", "seconds")[0].tolist() == [0.5]
    assert buffer.curve("explained_variance")[1].tolist() == [0.75]
    assert CurveBuffer().end("rows") == 0.0
    buffer.features = 0
    assert buffer.curve("loss", "compute")[0].tolist() == []


def test_buffer__reads_the_measured_point_that_is_nearest() -> None:
    buffer = filled(rows=[10.0, 20.0, 30.0], step=[1, 2, 3], fvu=[0.5, math.nan, 0.1])
    assert buffer.value_at("fvu", 19.0) == 0.5
    assert buffer.value_at("fvu", 2.9, "step") == 0.1
    assert buffer.value_at("kl", 1.0) is None


def test_buffer__places_a_change_on_every_axis() -> None:
    buffer = filled(rows=[10.0, 30.0], step=[1, 3], seconds=[1.0, 5.0], loss=[1, 1])
    buffer.features = 7
    change = RunChange(step=2, rows=20, lr=1e-4, sparsity=2.0)
    assert [buffer.change_x(change, axis) for axis in ("rows", "step", "seconds", "compute")] == [
        20.0,
        2.0,
        3.0,
        14.0,
    ]
    assert change_text(change) == "lr 0.0001, λ 2"
    parts = [RunChange(step=2, rows=20, lr=1e-4), RunChange(step=2, rows=20, sparsity=2.0)]
    assert merged([*parts, RunChange(step=3, rows=30, lr=0.1)]) == [
        change,
        RunChange(step=3, rows=30, lr=0.1),
    ]


def test_view__drops_what_is_not_known_any_more() -> None:
    view = curve_view(["kl", "gone", "loss"], ["gone", "l0"], "miles", 7.0)
    assert view.shown == ("loss", "kl")
    assert (view.log_axes, view.axis, view.smoothing) == (frozenset({"l0"}), "rows", 0.99)
    assert curve_view([], [], "step", 0.5).shown == DEFAULT_CURVES


# ---------------------------------------------------------------------- smoothing
def test_smoothing__is_a_mean_of_the_past_whose_weights_add_up_to_one() -> None:
    values = np.random.default_rng(0).normal(size=50)
    weights = [0.9 ** (20 - n) for n in range(21)]
    expected = float(np.average(values[:21], weights=weights))
    assert smoothed(values, 0.9)[20] == pytest.approx(expected)
    assert smoothed(values, 0.0).tolist() == values.tolist()
    assert smoothed(np.full(9, 4.0), 0.99) == pytest.approx(np.full(9, 4.0))
    assert len(smoothed(np.empty(0), 0.5)) == 0


@pytest.mark.parametrize("weight", [-0.1, 1.0])
def test_smoothing__refuses_a_weight_that_is_none(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        smoothed(np.ones(3), weight)


# ---------------------------------------------------------------------- files
def test_curves__as_csv_name_the_run_and_leave_out_what_nobody_measured() -> None:
    one = filled(rows=[1.0, 2.0], loss=[0.5, math.nan])
    two = filled(rows=[1.0], kl=[1e-9])
    rows = list(csv.DictReader(io.StringIO(curves_table({"a, “b”": one, "two": two}))))
    assert set(rows[0]) == {"run", "rows", "loss", "kl"}
    assert rows[0] == {"run": "a, “b”", "rows": "1", "loss": "0.5", "kl": ""}
    assert rows[2]["kl"] == "1e-09"
    assert curves_table({}) == "run\n"
