"""A circuit-tracer graph that is dropped on the window is read, with the set it is of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frame_client import FakeClient
from made_graphs import made_graph
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QInputDialog, QWidget
from set_project import add_set

from sae_desktop.circuits.config import ImportGraphConfig, ImportGraphResult
from sae_desktop.circuits.reading.pruning import Pruned
from sae_desktop.circuits.reading.tracer_json import tracer_json
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.circuits.circuits import CircuitsPanel
from sae_desktop.gui.project.intake import Intake
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


def _file(path: Path, set_name: str) -> Path:
    graph = made_graph(features=6, set_name=set_name)
    everything = Pruned(np.ones(graph.nodes, bool), np.ones(graph.edges, bool))
    path.write_bytes(tracer_json(graph, everything, {}, threshold=1.0))
    return path


def test_drop__on_project_reads_the_graph_and_opens_it(
    circuits: CircuitsPanel, session: Session, client: FakeClient, tmp_path: Path
) -> None:
    Intake(session, QWidget()).take(_file(tmp_path / "dallas.json", "elsewhere"))
    job = client.last(ImportGraphConfig)
    assert isinstance(job.config, ImportGraphConfig)
    assert (job.config.name, job.config.set) == ("dallas", "")
    job.finished.emit(ImportGraphResult(name="two", nodes=1, features=1, edges=1, dropped_links=0))
    assert circuits.opened.name == "two"


def test_drop__of_two_graphs_reads_one_after_the_other(
    circuits: CircuitsPanel, client: FakeClient, tmp_path: Path
) -> None:
    data = QMimeData()
    files = [_file(tmp_path / f"{name}.json", "") for name in ("first", "second")]
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    event = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, data,
        Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    circuits.dropEvent(event)
    asked = [job for job in client.jobs if isinstance(job.config, ImportGraphConfig)]
    assert [job.config.name for job in asked] == ["first"]
    asked[0].finished.emit(
        ImportGraphResult(name="one", nodes=1, features=1, edges=1, dropped_links=0)
    )
    assert client.last(ImportGraphConfig).config.name == "second"


def test_drop__asks_for_the_set_only_where_the_file_names_none_of_the_project(
    circuits: CircuitsPanel,
    session: Session,
    project: Project,
    client: FakeClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_set(project, "ours")
    session.look_again()
    asked: list[list[str]] = []

    def choose(_parent: QWidget, _title: str, _text: str, items: list[str], *_: object) -> object:
        asked.append(items)
        return items[-1], True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    circuits.outputs.bring(_file(tmp_path / "known.json", "ours"))
    job = client.last(ImportGraphConfig)
    assert not asked
    job.failed.emit(ErrorInfo(what="It is damaged.", next_step="Choose another."))
    circuits.outputs.bring(_file(tmp_path / "other.json", "theirs"))
    assert asked == [["None of these: keep the file’s names", "ours"]]
    assert client.last(ImportGraphConfig).config.set == "ours"
