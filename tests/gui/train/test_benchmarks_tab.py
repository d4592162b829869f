"""The tab of benchmarks: what is shown first, the table and its words, the forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run, add_store
from made_results import measured, save_results
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sae_desktop.benchmark.config import BenchmarkConfig, SyntheticConfig
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.benchmarks import Benchmarks
from sae_desktop.project import Project


@pytest.fixture
def tab(session: Session, project: Project, qtbot: QtBot) -> Iterator[Benchmarks]:
    save_results(project)
    session.open_project(project.path)
    tab = Benchmarks(session)
    qtbot.addWidget(tab)
    tab.resize(900, 500)
    tab.show()
    yield tab
    tab.hide()


def cells(tab: Benchmarks, column: int, role: int = Qt.ItemDataRole.DisplayRole) -> list[str]:
    model = tab.table.figures
    return [model.data(model.index(row, column), role) or "" for row in range(model.rowCount())]


def heads(tab: Benchmarks, role: int = Qt.ItemDataRole.DisplayRole) -> list[str]:
    model = tab.table.figures
    every = range(model.columnCount())
    return [model.headerData(n, Qt.Orientation.Horizontal, role) or "" for n in every]


def test_table__shows_recipes_and_marks_controls(tab: Benchmarks) -> None:
    tab.open("first")
    assert [cell.strip() for cell in cells(tab, 0)] == [
        "plain · 2 seeds", "control: random directions", "control: principal components",
    ]  # fmt: skip
    fvu = heads(tab).index("FVU")
    assert [cell.split()[0] for cell in cells(tab, fvu)] == ["0.210", "0.600", "0.100"]
    tips = cells(tab, fvu, Qt.ItemDataRole.ToolTipRole)
    assert "for other seeds" in tips[0]
    assert "Control: principal components" in tips[2]
    assert all("F1 tells more" in tip for tip in heads(tab, Qt.ItemDataRole.ToolTipRole)[1:])
    assert "a probe on all raw activations scores .950" in tab.notes.text()
    assert "Absorption is not measured" in tab.notes.text()
    tab.seeds.setChecked(True)
    assert [cell.strip() for cell in cells(tab, 0)][1:3] == ["d0", "d1"]
    tab.view.setCurrentIndex(tab.view.findData("1"))
    assert cells(tab, 0) == ["code or prose"]
    assert [cell for n in range(1, 7) for cell in cells(tab, n)] == [
        ".500", ".950", ".600", ".900", ".700", ".750",
    ]  # fmt: skip


def test_open__of_one_that_is_gone_leaves_what_is_shown(tab: Benchmarks) -> None:
    tab.open("first")
    tab.open("elsewhere")
    assert (tab.chooser.currentText(), tab.table.isVisible()) == ("first", True)
    assert tab.result is not None
    assert tab.result.name == "first"


def test_made_data__stands_beside_what_others_have_published(tab: Benchmarks) -> None:
    tab.open("made")
    f1 = heads(tab).index("F1 of true features")
    assert cells(tab, f1)[:2] == ["0.410", "0.556"]
    assert cells(tab, 0)[1].strip() == "published: L1"
    assert "under other conditions" in cells(tab, f1, Qt.ItemDataRole.ToolTipRole)[1]
    assert "2,000,000 samples instead of 200,000,000" in tab.notes.text()


def test_export_and_copy__hold_the_figures(
    tab: Benchmarks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab.open("first")
    out = tmp_path / "b.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    tab.export_button.click()
    assert json.loads(out.read_text())["subjects"][0]["fvu"] == measured().subjects[0].fvu
    tab.table.copy()
    assert "plain · 2 seeds\t4.0" in QGuiApplication.clipboard().text()


def test_deleted__goes_and_comes_back_by_undo(
    tab: Benchmarks, session: Session, qtbot: QtBot
) -> None:
    tab.open("first")
    tab.delete_button.click()
    assert session.project is not None
    assert session.project.benchmarks() == ["made"]
    qtbot.waitUntil(lambda: tab.chooser.currentText() == "made")
    session.undo_stack.undo()
    assert session.project.benchmarks() == ["first", "made"]


def test_empty_project__says_what_a_benchmark_tells_and_offers_made_data(
    session: Session, project: Project, qtbot: QtBot, client: FakeClient
) -> None:
    session.open_project(project.path)
    tab = Benchmarks(session)
    qtbot.addWidget(tab)
    tab.show()
    assert tab.lacking.isVisible()
    form = tab.start_synthetic()
    assert form is not None
    form.world.setCurrentIndex(form.world.findData("small"))
    form.sizes.setCurrentIndex(form.sizes.findData(0))
    form.samples.setValue(5000)
    form.accept()
    config = client.last(SyntheticConfig).config
    assert (config.world, config.samples, config.seeds) == ("small", 5000, 3)
    assert config.architectures == ("matryoshka", "batchtopk")
    tab.hide()


def test_form__measures_what_is_checked_and_says_what_is_missing(
    session: Session, project: Project, qtbot: QtBot, client: FakeClient, heard: Heard
) -> None:
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_run(project, "done")
    session.open_project(project.path)
    tab = Benchmarks(session)
    qtbot.addWidget(tab)
    tab.show()
    assert tab.first.isVisible()
    form = tab.start()
    assert form is not None
    form.labelled.setText("/nowhere/texts.csv")
    assert not form._start.isEnabled()
    form.labelled.setText("")
    form.dictionaries.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert not form._start.isEnabled()
    form.dictionaries.item(0).setCheckState(Qt.CheckState.Checked)
    form.store.setCurrentIndex(form.store.findData("acts"))
    form.rare["texts"].setValue(50)
    form.accept()
    job = client.last(BenchmarkConfig)
    assert job.config.dictionaries == ("done",)
    assert (job.config.texts, job.config.siblings) == (50, True)
    save_results(project)
    client.finish(job, measured())
    assert tab.chooser.currentText() == "first"
    assert tab.table.isVisible()
    assert heard.errors == []
    tab.hide()
