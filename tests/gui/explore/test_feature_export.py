"""Features leave the window by the list, the page and the menu of one of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sae_desktop.exchange.config import ExportFeaturesConfig, ExportResult
from sae_desktop.gui.explore.list.feature_list import FeatureListPanel
from sae_desktop.gui.explore.page.feature_title import FeatureTitle
from sae_desktop.gui.parts.feature_menu import feature_menu
from sae_desktop.gui.state.feature_export import FeatureExport
from sae_desktop.gui.state.next_steps import NextSteps
from sae_desktop.gui.state.session import Session
from sae_desktop.words.after_jobs import AfterJob


class Asked:
    """The dialog for a file: what it was asked, and the answer it gives."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        self.title, self.start, self.kinds = "", "", [""]

    def __call__(self, window: object, title: str, start: str, kinds: str) -> tuple[str, str]:
        assert window is not None
        self.title, self.start, self.kinds = title, start, kinds.split(";;")
        return str(self.path), self.kind


def answering(monkeypatch: pytest.MonkeyPatch, path: Path, kind: str) -> Asked:
    asked = Asked(path, kind)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", asked)
    return asked


def test_list__is_written_as_a_table_beside_the_window(
    qtbot: QtBot, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = FeatureListPanel(session)
    qtbot.addWidget(panel)
    asked = answering(monkeypatch, tmp_path / "all", "Table (*.csv)")
    told: list[str] = []
    session.noticeRaised.connect(told.append)
    panel.export_listed()
    qtbot.waitUntil(lambda: bool(told))
    assert asked.kinds[0] == "Table (*.csv)"
    count = len(panel.model.listed)
    assert told == [f"{count} features were written to “all.csv”."]
    with (tmp_path / "all.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == count


@pytest.mark.parametrize("way", ["page", "menu"])
def test_feature__is_written_by_itself_from_its_page_and_its_menu(
    qtbot: QtBot, session: Session, client, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, way: str,
) -> None:  # fmt: skip
    title = FeatureTitle(session)
    qtbot.addWidget(title)
    title.set_feature(2)
    asked = answering(monkeypatch, tmp_path / "two", "HTML page (*.html)")
    if way == "page":
        title.export.click()
    else:
        menu = feature_menu(session, 2, title)
        next(action for action in menu.actions() if action.text() == "Export…").trigger()
    assert asked.title == "Export feature 2"
    assert Path(asked.start).name == "main 2"
    assert asked.kinds[0] == "HTML page (*.html)"
    (job,) = client.jobs
    assert job.config == ExportFeaturesConfig(
        project=session.project_path, index="main", path=str(tmp_path / "two.html"),
        format="html", features=[2],
    )  # fmt: skip
    told: list[AfterJob] = []
    NextSteps.of(session).offered.connect(told.append)
    client.answer(job, ExportResult(path="two.html", files=1, bytes=12_000))
    assert [step.done for step in told] == ["Saved to two.html (12 kB)."]


def test_feature__whose_dialog_is_left_writes_nothing(
    qtbot: QtBot, session: Session, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = FeatureTitle(session)
    qtbot.addWidget(title)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    FeatureExport.of(session).ask([1], title)
    assert client.jobs == []
    assert FeatureExport.of(session) is FeatureExport.of(session)


@pytest.mark.parametrize(
    ("kind", "every", "names"),
    [
        ("Labels only (*.json)", False, False),
        ("Labels and automatic names (*.json)", False, True),
        ("Every label of each feature, rejected ones too (*.json)", True, False),
    ],
)
def test_labels__are_written_as_the_kind_of_file_says(
    qtbot: QtBot, session: Session, client, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, kind: str, every: bool, names: bool,
) -> None:  # fmt: skip
    panel = FeatureListPanel(session)
    qtbot.addWidget(panel)
    asked = answering(monkeypatch, tmp_path / "labels", kind)
    panel.export_listed()
    assert kind in asked.kinds
    (job,) = client.jobs
    assert (job.config.every_label, job.config.automatic_names) == (every, names)
    assert job.config.path.endswith("labels.json")
