"""The curves of the Training panel: what is drawn, over what, and how it is exported."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts.plot_image import PRINT_WIDTH
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.train.curve_stack import axis_end
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.project import Project
from sae_desktop.training.config import (
    TrainConfig,
)


def check(panel: TrainingPanel, row: int, on: bool) -> None:
    state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
    model = panel.runs.model
    model.setData(model.index(row, 0), state, Qt.ItemDataRole.CheckStateRole)


def test_training__draws_the_runs_on_disk(training: TrainingPanel) -> None:
    assert set(training.curves.runs) == {"done"}
    training.curves.redraw()
    x, y = training.curves.runs["done"].items["l0"].getOriginalDataset()
    assert x is None or len(x) == 0
    x, y = training.curves.runs["done"].items["loss"].getOriginalDataset()
    assert list(x[:2]) == [500.0, 1000.0]
    assert y[0] == 10.0


def test_training__takes_live_points(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    training.start()
    job = client.last(TrainConfig)
    assert isinstance(job.config, TrainConfig)
    client.run(job)
    client.points(job, [{"rows": 2048.0 * n, "loss": 5.0 / n, "l0": 30.0} for n in (1, 2, 3)])
    run = training.curves.runs[job.config.name]
    assert run.buffer.points == 3
    qtbot.waitUntil(
        lambda: "loss" in run.items and len(run.items["loss"].xData) == 3, timeout=5_000
    )
    assert training.runs.current == job.config.name
    assert not training.setup.start_button.isEnabled()


def test_training__overlays_the_runs_that_are_checked(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    add_run(project, "other")
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    assert training.runs.names() == ["done", "other"]
    check(training, 1, True)
    assert set(training.curves.runs) == {"done", "other"}
    colours = {training.curves.colour_of(name) for name in ("done", "other")}
    assert len(colours) == 2
    check(training, 0, False)
    assert set(training.curves.runs) == {"other"}


def test_training__a_click_on_a_row_draws_it_and_space_takes_it_away(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    add_run(project, "other")
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    table = training.runs.table
    table.resize(900, 200)
    table.show()
    place = table.visualRect(training.runs.model.index(1, 2)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert set(training.curves.runs) == {"done", "other"}
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert set(training.curves.runs) == {"done"}


def test_curves__are_drawn_over_what_is_chosen(training: TrainingPanel, settings: Settings) -> None:
    bar = training.curves.bar
    bar.axis.setCurrentIndex(bar.axis.findData("compute"))
    training.curves.redraw()
    x, _ = training.curves.runs["done"].items["loss"].getOriginalDataset()
    assert list(x[:2]) == [16.0, 32.0]  # 16 features × steps
    assert settings.curve_axis == "compute"


def test_curves__those_chosen_are_shown_and_remembered(
    training: TrainingPanel, settings: Settings
) -> None:
    actions = training.curves.bar.actions_of
    actions["fvu"].setChecked(False)
    actions["explained_variance"].setChecked(True)
    training.curves.redraw()
    plots = training.curves.plots
    assert plots["fvu"].isHidden()
    assert not plots["explained_variance"].isHidden()
    _, y = training.curves.runs["done"].items["explained_variance"].getOriginalDataset()
    assert y[0] == pytest.approx(0.1)
    assert "fvu" not in settings.shown_curves
    assert "explained_variance" in settings.shown_curves
    assert "(not measured)" in actions["kl"].text()


def test_curves__smoothing_leaves_the_measured_curve_beneath(training: TrainingPanel) -> None:
    training.curves.bar.smoothing.setValue(50)
    training.curves.redraw()
    run = training.curves.runs["done"]
    _, raw = run.raw["loss"].getOriginalDataset()
    _, drawn = run.items["loss"].getOriginalDataset()
    assert run.raw["loss"].isVisible()
    assert list(raw) == [10.0 / step for step in range(1, 11)]
    assert drawn[0] == raw[0]
    assert drawn[-1] > raw[-1]


def test_curves__the_cross_hair_reads_all_curves(training: TrainingPanel) -> None:
    training.curves._on_hovered(1_100.0)
    assert "at 1.1k rows" in training.curves.bar.position.text()
    assert ">5<" in training.curves.plots["loss"].readout.text()
    assert ">0.45<" in training.curves.plots["fvu"].readout.text()
    training.curves._on_hovered(None)
    assert ">1<" in training.curves.plots["loss"].readout.text()


def test_curves__moving_one_plot_moves_all(training: TrainingPanel) -> None:
    plots = training.curves.plots
    plots["loss"].plot.setXRange(1_000.0, 2_000.0, padding=0)
    plots["loss"].movedByHand.emit()
    assert plots["l0"].plot.viewRange()[0] == pytest.approx([1_000.0, 2_000.0])
    training.curves.bar.wholeRunWanted.emit()
    assert plots["l0"].plot.viewRange()[0][1] == pytest.approx(5_050.0)


def test_curves__the_log_switch_is_remembered(training: TrainingPanel, settings: Settings) -> None:
    training.curves.plots["l0"].log_switch.setChecked(True)
    assert settings.log_axes == ["fvu", "l0", "loss"]


@pytest.mark.parametrize(
    ("rows", "end"), [(0, 1), (1, 1), (99, 100), (101, 125), (3.1e5, 4e5), (9.9e6, 1e7)]
)
def test_curves__end_their_axis_at_a_round_number(rows: float, end: float) -> None:
    assert axis_end(rows) == pytest.approx(end)


def test_curves__are_copied_as_a_table(training: TrainingPanel) -> None:
    training.curves.copy_data()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:3] == ["run", "step", "rows"]
    assert lines[1].split("\t")[:3] == ["done", "1", "500"]


def test_curves__are_saved_as_csv_and_png(
    training: TrainingPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    def answer(path: Path) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))

    answer(tmp_path / "points")
    training.board.save_data()
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert float(rows[9]["loss"]) == 1.0
    answer(tmp_path / "picture.png")
    training.board.save_image()
    image = QImage(str(tmp_path / "picture.png"))
    assert image.width() == PRINT_WIDTH
    answer(tmp_path / "points.csv" / "no.png")
    training.board.save_image()
    assert len(heard.errors) == 1
